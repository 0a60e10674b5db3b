// The machine against OpenSSL's server, in memory.
#include "src/io/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "tests/support/certificates.h"
#include "tests/support/tls_server.h"

namespace ringpost::io {
namespace {

using namespace std::string_literals;
using proto::wire::Buffer;
using tests::Certificate, tests::Folder, tests::TlsServer;
using State = Tls::State;

constexpr int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

// An authority, and a server's certificate by it.
struct Authority {
  Authority() { root_file = folder.write("root.crt", root.pem()); }
  Folder folder;
  Certificate root{{.common_name = "root", .authority = true}};
  Certificate server{{.common_name = "db", .alternatives = "DNS:db.example"}, &root};
  std::string root_file;

  std::shared_ptr<TlsContext> context(TlsContext::Options options = {}) const {
    options.root_file = root_file;
    auto made = TlsContext::make(options);
    EXPECT_TRUE(made) << made.error();
    return made ? *made : nullptr;
  }
};

// A client and a server with wires between them.
class Pair {
 public:
  Pair(std::shared_ptr<TlsContext> context, const TlsServer& server,
       const std::string& host_name = "")
      : client(std::move(context), "server", host_name), server_(server) {}

  // Until nobody has anything to say; what goes to the client comes in pieces.
  State shake_hands(size_t piece = 1 << 20) {
    Buffer wire;
    client.begin(wire);
    carry(wire, piece);
    return client.state();
  }
  // Carries what the client says to the server, and its answers back.
  void carry(Buffer& wire, size_t piece = 1 << 20) {
    while (!wire.empty()) {
      const std::string answer = server_.take(wire.view());
      wire.clear();
      deliver(answer, piece, wire);
    }
  }
  // To the client; what it says to that is appended to `wire`.
  void deliver(std::string_view bytes, size_t piece, Buffer& wire) {
    for (size_t at = 0; at < bytes.size(); at += piece)
      client.take(bytes.substr(at, piece), plain, wire);
  }
  void deliver(std::string_view bytes) {
    Buffer wire;
    deliver(bytes, bytes.size(), wire);
    carry(wire);
  }
  void say(std::string_view text) {
    Buffer wire;
    client.encrypt(text, wire);
    carry(wire);
  }
  std::string received() {
    std::string text(plain.view());
    plain.clear();
    return text;
  }
  TlsServer::Connection& server() { return server_; }

  Tls client;
  Buffer plain;

 private:
  TlsServer::Connection server_;
};

TEST(Tls, ShakesHandsInWhateverPieces) {
  const Authority authority;
  for (const int version : versions) {
    const TlsServer server(authority.server, {.version = version});
    for (const size_t piece : {1UL, 2UL, 3UL, 5UL, 100UL, 1UL << 20}) {
      Pair pair(authority.context(), server, "db.example");
      EXPECT_EQ(pair.client.state(), State::handshaking);
      EXPECT_EQ(pair.shake_hands(piece), State::open) << piece << pair.client.error().message();
      EXPECT_TRUE(pair.server().open());
      EXPECT_EQ(pair.client.version(), version == TLS1_3_VERSION ? "TLSv1.3"s : "TLSv1.2"s);
      EXPECT_EQ(pair.server().sni(), "db.example");
      EXPECT_NE(pair.client.peer_certificate(), nullptr);
      EXPECT_EQ(pair.received(), "");
    }
  }
}

TEST(Tls, CarriesWhatIsSaidBothWays) {
  const Authority authority;
  for (const int version : versions) {
    const TlsServer server(authority.server, {.version = version});
    Pair pair(authority.context(), server);
    ASSERT_EQ(pair.shake_hands(), State::open);
    for (const size_t size : {1UL, 100UL, 16'383UL, 16'384UL, 16'385UL, 1UL << 20}) {
      std::string text(size, '\0');
      for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + size);
      pair.say(text);
      EXPECT_EQ(pair.server().received, text) << size;
      pair.server().received.clear();
      pair.deliver(pair.server().say(text));
      EXPECT_EQ(pair.received(), text) << size;
    }
    EXPECT_EQ(pair.client.state(), State::open);
  }
}

// No plain text of a record before all of it is there.
TEST(Tls, TakesRecordsInWhateverPieces) {
  const Authority authority;
  for (const int version : versions) {
    const TlsServer server(authority.server, {.version = version});
    for (const size_t piece :
         {1UL, 2UL, 3UL, 4UL, 5UL, 6UL, 7UL, 21UL, 22UL, 23UL, 1000UL, 16'384UL}) {
      Pair pair(authority.context(), server);
      ASSERT_EQ(pair.shake_hands(), State::open);
      std::string bytes = pair.server().say("one");
      bytes += pair.server().say(std::string(20'000, 'x'));
      bytes += pair.server().say("three");
      const size_t first =
          5 + static_cast<uint8_t>(bytes[3]) * 256 + static_cast<uint8_t>(bytes[4]);
      Buffer wire;
      std::string all;
      for (size_t at = 0; at < bytes.size(); at += piece) {
        pair.client.take(std::string_view(bytes).substr(at, piece), pair.plain, wire);
        all += pair.received();
        EXPECT_EQ(all.empty(), at + piece < first) << at;
      }
      EXPECT_EQ(all, "one" + std::string(20'000, 'x') + "three");
    }
  }
}

TEST(Tls, TellsTheEndFromACut) {
  const Authority authority;
  for (const int version : versions) {
    const TlsServer server(authority.server, {.version = version});
    Pair ended(authority.context(), server);
    ASSERT_EQ(ended.shake_hands(), State::open);
    std::string last = ended.server().say("last words");
    last += ended.server().end();
    ended.deliver(last);
    EXPECT_EQ(ended.received(), "last words");
    EXPECT_EQ(ended.client.state(), State::ended);
    EXPECT_EQ(ended.client.error().kind, Error::Kind::closed);
    ended.client.cut_off();  // and then its socket closes
    EXPECT_EQ(ended.client.error().kind, Error::Kind::closed);
    ended.say("nobody hears it");
    EXPECT_EQ(ended.server().received, "");

    Pair cut(authority.context(), server);
    ASSERT_EQ(cut.shake_hands(), State::open);
    const std::string bytes = cut.server().say("half of it");
    cut.deliver(bytes.substr(0, bytes.size() / 2));
    cut.client.cut_off();
    EXPECT_EQ(cut.received(), "");
    EXPECT_EQ(cut.client.state(), State::failed);
    EXPECT_EQ(cut.client.error().message(),
              "TLS: the connection was cut off: it ended without close_notify");

    Pair early(authority.context(), server);
    Buffer wire;
    early.client.begin(wire);
    early.client.cut_off();
    EXPECT_EQ(early.client.error().message(),
              "TLS handshake: the connection was cut off: it ended without close_notify");
  }
}

TEST(Tls, SaysItsOwnEnd) {
  const Authority authority;
  const TlsServer server(authority.server);
  Pair pair(authority.context(), server);
  ASSERT_EQ(pair.shake_hands(), State::open);
  Buffer wire;
  pair.client.encrypt("bye", wire);
  pair.client.end(wire);
  pair.client.end(wire);
  pair.client.encrypt("too late", wire);
  pair.carry(wire);
  EXPECT_EQ(pair.server().received, "bye");
  EXPECT_TRUE(pair.server().ended);
  // What was on its way is still read.
  pair.deliver(pair.server().say("answer"));
  EXPECT_EQ(pair.received(), "answer");
}

TEST(Tls, WhatIsNoTlsFails) {
  const Authority authority;
  const std::pair<std::string, std::string> cases[] = {
      {"HTTP/1.1 400 Bad Request\r\n\r\n", "the peer does not speak TLS"},
      {"R\0\0\0\x08\0\0\0\0"s, "the peer does not speak TLS"},
      {"\x15\x03\x03\0\x02\x02\x28"s,
       "the peer refuses the handshake: no cipher that both allow, or it wants a certificate of "
       "ours"},
      {"\x15\x03\x03\0\x02\x02\x46"s, "there is no version of TLS that both sides allow"},
  };
  for (const auto& [bytes, why] : cases) {
    Tls client(authority.context(), "server", "");
    Buffer plain, wire;
    client.begin(wire);
    EXPECT_EQ(client.take(bytes, plain, wire), State::failed);
    EXPECT_EQ(client.error().message(), "TLS handshake: " + why);
    EXPECT_TRUE(plain.empty());
  }
}

TEST(Tls, AChangedRecordIsNeverRead) {
  const Authority authority;
  for (const int version : versions) {
    const TlsServer server(authority.server, {.version = version});
    size_t size = 1;
    for (size_t at = 0; at < size; ++at) {
      Pair pair(authority.context(), server);
      ASSERT_EQ(pair.shake_hands(), State::open);
      std::string bytes = pair.server().say("the balance is 10");
      size = bytes.size();
      bytes[at] = static_cast<char>(bytes[at] ^ 1);
      Buffer wire;
      pair.deliver(bytes, bytes.size(), wire);
      EXPECT_EQ(pair.received(), "") << at;
      if (at < 5) continue;  // a length may announce more
      EXPECT_EQ(pair.client.state(), State::failed) << at;
      EXPECT_EQ(pair.client.error().message(), "TLS: a record was changed on its way");
      EXPECT_FALSE(wire.empty()) << "the peer is told, too";
    }
  }
}

TEST(Tls, RefusesWhoItDoesNotTrust) {
  const Authority authority;
  const Certificate stranger({.common_name = "db"});
  const Certificate expired({.common_name = "db", .from_days = -3, .to_days = -1}, &authority.root);
  const Certificate early({.common_name = "db", .from_days = 1, .to_days = 3}, &authority.root);
  const std::pair<const Certificate*, std::string> cases[] = {
      {&stranger, "self-signed certificate"},
      {&expired, "certificate has expired"},
      {&early, "certificate is not yet valid"}};
  for (const int version : versions) {
    for (const auto& [certificate, why] : cases) {
      const TlsServer server(*certificate, {.version = version});
      Pair pair(authority.context(), server);
      EXPECT_EQ(pair.shake_hands(), State::failed);
      EXPECT_EQ(pair.client.error().message(),
                "TLS handshake: the peer's certificate is not trusted: " + why);
      EXPECT_NE(pair.server().failure, "") << "the peer is told, too";
    }
    const TlsServer server(stranger, {.version = version});
    Pair indifferent(TlsContext::make({}).value(), server);
    EXPECT_EQ(indifferent.shake_hands(), State::open);
  }
}

TEST(Tls, RefusesWhatWasRevoked) {
  const Authority authority;
  const TlsServer server(authority.server);
  for (const bool revoked : {false, true}) {
    TlsContext::Options options;
    options.crl_file = authority.folder.write(
        "root.crl", authority.root.crl_pem(revoked ? &authority.server : nullptr));
    Pair pair(authority.context(options), server);
    EXPECT_EQ(pair.shake_hands(), revoked ? State::failed : State::open);
    if (revoked) {
      EXPECT_EQ(pair.client.error().message(),
                "TLS handshake: the peer's certificate is not trusted: certificate revoked");
    }
  }
}

TEST(Tls, ShowsItsCertificateWhereItIsAskedFor) {
  const Authority authority;
  const Certificate alice({.common_name = "alice"}, &authority.root);
  const Certificate mallory({.common_name = "alice"});
  TlsContext::Options own;
  own.certificate_file = authority.folder.write("alice.crt", alice.pem());
  own.key_file = authority.folder.write("alice.key", alice.key_pem());
  TlsContext::Options others;
  others.certificate_file = authority.folder.write("mallory.crt", mallory.pem());
  others.key_file = authority.folder.write("mallory.key", mallory.key_pem());
  for (const int version : versions) {
    const TlsServer indifferent(authority.server, {.version = version});
    const TlsServer strict(authority.server, {.version = version,
                                              .client_authority = &authority.root,
                                              .client_certificate_needed = true});
    Pair unasked(authority.context(own), indifferent);
    EXPECT_EQ(unasked.shake_hands(), State::open);
    EXPECT_FALSE(unasked.client.certificate_asked() || unasked.client.certificate_sent());

    Pair asked(authority.context(own), strict);
    EXPECT_EQ(asked.shake_hands(), State::open);
    EXPECT_TRUE(asked.client.certificate_asked() && asked.client.certificate_sent());

    // In TLS 1.3 the client's side of the handshake is over before the server has seen it.
    const std::string doing = version == TLS1_3_VERSION ? "TLS: " : "TLS handshake: ";
    Pair without(authority.context(), strict);
    EXPECT_EQ(without.shake_hands(), State::failed);
    EXPECT_TRUE(without.client.certificate_asked() && !without.client.certificate_sent());
    EXPECT_EQ(without.client.error().message(),
              doing + (version == TLS1_3_VERSION
                           ? "the peer wants a certificate of ours, and got none"
                           : "the peer refuses the handshake: no cipher that both allow, or it "
                             "wants a certificate of ours"));
    Pair unknown(authority.context(others), strict);
    EXPECT_EQ(unknown.shake_hands(), State::failed);
    EXPECT_EQ(unknown.client.error().message(),
              doing + "the peer does not trust who signed our certificate");
  }
}

TEST(Tls, ResumesTheSessionOfTheSameServer) {
  const Authority authority;
  for (const int version : versions) {
    const TlsServer server(authority.server, {.version = version});
    const auto context = authority.context();
    for (const bool again : {false, true, true}) {
      Pair pair(context, server);
      EXPECT_EQ(pair.shake_hands(), State::open);
      EXPECT_EQ(pair.client.resumed(), again);
      EXPECT_NE(pair.client.peer_certificate(), nullptr) << "binding and names need it";
    }
    Tls other(context, "another server", "");
    EXPECT_EQ(context->session("another server"), nullptr);
    Pair anew(authority.context(), server);
    EXPECT_EQ(anew.shake_hands(), State::open);
    EXPECT_FALSE(anew.client.resumed()) << "who was trusted may not be trusted any more";
  }
}

TEST(Tls, ChangesKeysWhenThePeerAsksForIt) {
  const Authority authority;
  const TlsServer server(authority.server, {.version = TLS1_3_VERSION});
  Pair pair(authority.context(), server);
  ASSERT_EQ(pair.shake_hands(), State::open);
  for (int i = 0; i < 3; ++i) {
    std::string bytes = pair.server().update_keys();
    bytes += pair.server().say("by a new key");
    pair.deliver(bytes);
    EXPECT_EQ(pair.received(), "by a new key");
    pair.say("mine too");
    EXPECT_EQ(pair.server().received, "mine too");
    pair.server().received.clear();
  }
}

TEST(Tls, ShakesHandsOnce) {
  const Authority authority;
  const TlsServer server(authority.server, {.version = TLS1_2_VERSION});
  Pair pair(authority.context(), server);
  ASSERT_EQ(pair.shake_hands(), State::open);
  pair.deliver(pair.server().ask_for_another_handshake());
  EXPECT_EQ(pair.server().failure, "no renegotiation");
}

TEST(Tls, SpeaksOnlyTheVersionsThatAreAllowed) {
  const Authority authority;
  const TlsServer older(authority.server, {.version = TLS1_2_VERSION});
  Pair pair(authority.context({.min_version = TLS1_3_VERSION}), older);
  EXPECT_EQ(pair.shake_hands(), State::failed);
  EXPECT_EQ(pair.client.error().message(),
            "TLS handshake: there is no version of TLS that both sides allow");
  const TlsServer newer(authority.server);
  Pair limited(authority.context({.max_version = TLS1_2_VERSION}), newer);
  EXPECT_EQ(limited.shake_hands(), State::open);
  EXPECT_EQ(limited.client.version(), "TLSv1.2"s);
}

TEST(Tls, AgreesOnAProtocol) {
  const Authority authority;
  const TlsServer server(authority.server, {.alpn = "postgresql"});
  Pair pair(authority.context({.alpn = "postgresql"}), server);
  EXPECT_EQ(pair.shake_hands(), State::open);
  EXPECT_EQ(pair.client.alpn(), "postgresql");
  const TlsServer silent(authority.server);
  Pair unanswered(authority.context({.alpn = "postgresql"}), silent);
  EXPECT_EQ(unanswered.shake_hands(), State::open);
  EXPECT_EQ(unanswered.client.alpn(), "");
}

TEST(TlsContext, WritesKeysWhereItIsTold) {
  const Authority authority;
  const TlsServer server(authority.server, {.version = TLS1_3_VERSION});
  const std::string path = authority.folder.path("keys");
  Pair pair(authority.context({.key_log_file = path}), server);
  EXPECT_EQ(pair.shake_hands(), State::open);
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_TRUE(text.contains("CLIENT_TRAFFIC_SECRET_0 ")) << text;
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms{0600});
}

TEST(TlsContext, SaysWhatIsWrongWithWhichFile) {
  const Authority authority;
  const Folder& folder = authority.folder;
  const std::string certificate = folder.write("c", authority.server.pem()),
                    key = folder.write("k", authority.server.key_pem()),
                    locked = folder.write("locked", authority.server.key_pem("open sesame")),
                    foreign = folder.write("foreign", authority.root.key_pem()),
                    empty = folder.write("empty", ""), none = folder.path("none");
  const auto failure = [](const TlsContext::Options& options) {
    const auto made = TlsContext::make(options);
    return made ? "" : made.error();
  };
  const auto own = [&](const std::string& key_file, std::string_view password = {}) {
    return TlsContext::Options{
        .certificate_file = certificate, .key_file = key_file, .key_password = password};
  };
  EXPECT_EQ(failure(own(key)), "");
  EXPECT_EQ(failure(own(locked, "open sesame")), "");
  EXPECT_TRUE(failure(own(locked, "wrong"))
                  .starts_with("private key file '" + locked + "' can't be used: "));
  EXPECT_TRUE(failure(own(locked)).ends_with("(is it encrypted? then it needs its password)"));
  EXPECT_EQ(failure(own(foreign)),
            "private key file '" + foreign + "' is not the key of '" + certificate + "'");
  EXPECT_TRUE(failure(own(none)).starts_with("private key file '" + none +
                                             "' can't be used: No such file or directory"));
  EXPECT_EQ(failure({.root_file = none}),
            "root certificate file '" + none + "' can't be used: No such file or directory");
  EXPECT_TRUE(failure({.root_file = empty}).starts_with("root certificate file '" + empty + "' "));
  EXPECT_TRUE(failure({.root_file = authority.root_file, .crl_file = empty})
                  .starts_with("certificate revocation list '" + empty + "' "));
  EXPECT_TRUE(failure({.certificate_file = empty, .key_file = key})
                  .starts_with("certificate file '" + empty + "' "));
  EXPECT_EQ(failure({.key_log_file = none + "/f"}),
            "the file for keys '" + none + "/f' can't be written: No such file or directory");
}

}  // namespace
}  // namespace ringpost::io
