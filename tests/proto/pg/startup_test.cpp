#include "proto/pg/startup.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/support/pg_messages.h"
#include "tests/support/plain_crypto.h"

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

using tests::message;
using State = Startup::State;

const std::string authentication_ok = "R\0\0\0\x08\0\0\0\0"s;
const std::string sasl_request = "R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0"s;
const std::string sasl_continue =
    "R\0\0\0\x5e\0\0\0\x0br=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"s;
const std::string sasl_final =
    "R\0\0\0\x36\0\0\0\x0cv=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg="s;
const std::string server_version = "S\0\0\0\x18server_version\00016.3\0"s;
const std::string key_data = "K\0\0\0\x0c\0\0\x12\x67\xca\xfe\xba\xbe"s;
const std::string ready = "Z\0\0\0\5I"s;
const std::string notice = "N\0\0\0\x26SNOTICE\0VNOTICE\0C00000\0Mgood day\0\0"s;

const std::string startup_message =
    "\0\0\0\x37\0\3\0\0user\0alice\0database\0shop\0client_encoding\0UTF8\0\0"s;

class Session {
 public:
  explicit Session(std::string password_given = "pencil") : password(std::move(password_given)) {
    tests::next_random() = "\xac\xea\x6b\x34\x67\xf0\x11\xb7\x91\x5a\x06\xcd\x12\x4a\x8e"s;
    conninfo.user = "alice";
    conninfo.dbname = "shop";
  }
  // The same over TLS, to a server whose certificate has this hash.
  Session& over_tls(std::string hash = "hash of the certificate") {
    end_point = std::move(hash);
    channel.encrypted = true;
    channel.end_point = end_point;
    return *this;
  }

  // Feeds whole messages; the state after the last that was taken. Stops at the first failure.
  State feed(std::string_view input) {
    State state = State::authenticating;
    Message one;
    while (!input.empty()) {
      const tests::Exact exact(input);
      if (next_message(exact.view(), one) != wire::Parse::complete) {
        ADD_FAILURE() << "the test's own message is malformed";
        return state;
      }
      input.remove_prefix(one.size);
      state = startup.take(one, out);
      if (state == State::salting) {
        const Scram::Salting made_of = startup.salting();
        state = startup.salted(
            tests::plain_pbkdf2_sha256(made_of.password, made_of.salt, made_of.iterations), out);
      }
      if (state == State::failed) break;
    }
    return state;
  }
  std::string sent() {
    std::string bytes(out.view());
    out.clear();
    return bytes;
  }

  std::string password, end_point;
  Conninfo conninfo;
  Channel channel{.password = password};
  wire::Buffer out;
  Startup startup{conninfo, tests::plain_crypto(), channel};
};

TEST(Startup, SendsWhoAsksAndForWhat) {
  Session session;
  session.startup.begin(session.out);
  EXPECT_EQ(session.sent(), startup_message);
  session.conninfo.application_name = "ringpost";
  session.conninfo.options = "-c geqo=off";
  session.startup.begin(session.out);
  EXPECT_EQ(session.sent(),
            "\0\0\0\x65\0\3\0\0user\0alice\0database\0shop\0client_encoding\0UTF8\0application_"
            "name\0ringpost\0"
            "options\0-c geqo=off\0\0"sv);
  session.conninfo.options = session.conninfo.application_name = "";
  session.conninfo.parameters = {{"timezone", "UTC"}};
  session.startup.begin(session.out);
  EXPECT_EQ(session.sent(),
            "\0\0\0\x44\0\3\0\0user\0alice\0database\0shop\0client_encoding\0UTF8\0"
            "timezone\0UTC\0\0"sv);
}

using Version = Conninfo::ProtocolVersion;

struct AskingFor32 : Session {
  explicit AskingFor32(Version least = Version::v3_0) {
    conninfo.min_protocol_version = least;
    conninfo.max_protocol_version = Version::v3_2;
  }
};
const std::string goes_down = "v\0\0\0\x0c\0\3\0\0\0\0\0\0"s;
const std::string long_key = message('K', "\0\0\x12\x67"s + std::string(256, 'k'));

TEST(Startup, AsksForTheNewestVersionThatItMay) {
  AskingFor32 session;
  session.startup.begin(session.out);
  EXPECT_EQ(session.sent(),
            "\0\0\0\x37\0\3\0\2user\0alice\0database\0shop\0client_encoding\0UTF8\0\0"sv);
  EXPECT_EQ(session.feed(authentication_ok + long_key + ready), State::ready);
  EXPECT_EQ(session.startup.protocol_version(), Version::v3_2);
  EXPECT_EQ(session.startup.cancel_key().secret_key, std::string(256, 'k'));
}

TEST(Startup, GoesDownToTheServersVersion) {
  AskingFor32 session;
  EXPECT_EQ(session.feed(goes_down), State::authenticating);
  EXPECT_EQ(session.startup.protocol_version(), Version::v3_0);
  EXPECT_EQ(session.feed(sasl_request + sasl_continue + sasl_final + authentication_ok + key_data +
                         ready),
            State::ready);
}

TEST(Startup, JudgesWhatTheServerNegotiates) {
  struct Case {
    std::string input;
    std::string why;
  };
  const Case cases[] = {
      {message('v', "\0\3\0\3\0\0\0\0"sv),
       "the server asks for protocol 3.3, which is newer than the 3.2 that it was offered"},
      {message('v', "\0\4\0\0\0\0\0\0"sv),
       "the server asks for protocol 4.0, which is newer than the 3.2 that it was offered"},
      {message('v', "\xff\xff\xff\xff\0\0\0\0"sv),
       "the server asks for protocol 65535.65535, which is newer than the 3.2 that it was offered"},
      {message('v', "\0\2\0\0\0\0\0\0"sv),
       "the server asks for protocol 2.0, which is older than 3.0"},
      {message('v', "\0\0\0\0\0\0\0\0"sv),
       "the server asks for protocol 0.0, which is older than 3.0"},
      {message('v', "\0\3\0\1\0\0\0\0"sv),
       "the server asks for protocol 3.1, which does not exist"},
      {message('v', "\0\3\0\2\0\0\0\0"sv),
       "the server negotiates the protocol, and asks for no change"},
      {message('v', "\0\3\0\0\0\0\0\1_pq_.what\0"sv),
       "the server does not know the protocol option _pq_.what, which was not asked for"},
      {message('v', "\0\3\0\0\xff\xff\xff\xff"sv), "NegotiateProtocolVersion is malformed"},
      {message('v', "\0\3\0\0\0\0\0"sv), "NegotiateProtocolVersion is malformed"},
      {goes_down + goes_down, "NegotiateProtocolVersion has no place in authentication"},
      {sasl_request + goes_down, "NegotiateProtocolVersion has no place in the SCRAM exchange"},
      {sasl_request + sasl_continue + sasl_final + goes_down,
       "NegotiateProtocolVersion has no place in authentication"},
      {authentication_ok + goes_down, "NegotiateProtocolVersion has no place in start-up"},
      {goes_down + authentication_ok + long_key,
       "BackendKeyData has a key of 256 bytes, and protocol 3.0 has keys of 4"},
      {authentication_ok + message('K',
                                   "\0\0\x12\x67"
                                   "abc"sv),
       "BackendKeyData is malformed"},
  };
  for (const Case& one : cases) {
    AskingFor32 session;
    EXPECT_EQ(session.feed(one.input), State::failed) << one.why;
    EXPECT_EQ(session.startup.failure(), one.why);
  }
  AskingFor32 strict(Version::v3_2);
  EXPECT_EQ(strict.feed(goes_down), State::failed);
  EXPECT_EQ(strict.startup.failure(),
            "the server speaks protocol 3.0 at most, and min_protocol_version is 3.2");
  Session plain;
  EXPECT_EQ(plain.feed(goes_down), State::failed) << "3.0 is what it was asked for";
  Session five;
  EXPECT_EQ(five.feed(authentication_ok + message('K',
                                                  "\0\0\x12\x67"
                                                  "12345"sv)),
            State::failed);
}

TEST(Startup, SaysWhatIsToBeDoneAboutAParameterThatAPoolerRefuses) {
  Session session;
  const std::string refusal =
      message('E', "SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0"sv);
  EXPECT_EQ(session.feed(refusal), State::failed);
  EXPECT_EQ(
      session.startup.failure(),
      "FATAL 08P01: unsupported startup parameter: options; a pooler between takes no such "
      "parameter: leave it out of the connection string (options, say) and the PG* variables, "
      "or name it in the pooler's ignore_startup_parameters");
}

TEST(Startup, TrustNeedsNothing) {
  Session session("");
  EXPECT_EQ(session.feed(authentication_ok), State::starting);
  EXPECT_EQ(session.feed(server_version + key_data), State::starting);
  EXPECT_EQ(session.feed(ready), State::ready);
  EXPECT_EQ(session.sent(), "");
  EXPECT_EQ(session.startup.server_version(), "16.3");
  EXPECT_EQ(session.startup.cancel_key().process_id, 4711);
  EXPECT_EQ(session.startup.cancel_key().secret_key, "\xca\xfe\xba\xbe");
}

TEST(Startup, ProvesThePasswordByScram) {
  Session session;
  EXPECT_EQ(session.feed(sasl_request), State::sasl_first);
  EXPECT_EQ(session.sent(), "p\0\0\0\x32SCRAM-SHA-256\0\0\0\0\x1cn,,n=,r=rOprNGfwEbeRWgbNEkqO"sv);
  EXPECT_EQ(session.feed(sasl_continue), State::sasl_final);
  EXPECT_EQ(
      session.sent(),
      "p\0\0\0\x6e"
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=qvT2SWdEH5Q06albL+hjSYuUhCG7VndFyzIb7CK4n9k="sv);
  EXPECT_EQ(session.feed(sasl_final), State::authenticating);
  EXPECT_EQ(session.feed(authentication_ok + server_version + key_data + ready), State::ready);
  EXPECT_EQ(session.sent(), "");
}

const std::string both_mechanisms = message('R', "\0\0\0\nSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"sv);
const std::string plus_alone = message('R', "\0\0\0\nSCRAM-SHA-256-PLUS\0\0"sv);
using Binding = Conninfo::ChannelBinding;

TEST(Startup, BindsToTheServersCertificateOverTls) {
  for (const Binding binding : {Binding::prefer, Binding::require}) {
    Session session;
    session.over_tls().conninfo.channel_binding = binding;
    EXPECT_EQ(session.feed(both_mechanisms), State::sasl_first);
    EXPECT_EQ(session.sent(),
              "p\0\0\0\x4cSCRAM-SHA-256-PLUS\0\0\0\0\x31"
              "p=tls-server-end-point,,n=,r=rOprNGfwEbeRWgbNEkqO"sv);
    EXPECT_EQ(session.feed(sasl_continue), State::sasl_final);
    EXPECT_TRUE(session.sent().contains(
        "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsaGFzaCBvZiB0aGUgY2VydGlmaWNhdGU=,r="));
  }
}

// What the client says of binding, by its first message, or why it does not go on.
TEST(Startup, ChoosesTheMechanismAsChannelBindingSays) {
  struct Case {
    bool tls;
    Binding binding;
    std::string request, expected;
  };
  const std::string taken_away =
      "the server offers SCRAM-SHA-256-PLUS, which needs TLS, and this connection has none: "
      "something between may have taken it away";
  const std::string needs_tls = "channel_binding=require needs TLS, and this connection has none";
  const Case cases[] = {
      {false, Binding::disable, sasl_request, "n,,"},
      {false, Binding::prefer, sasl_request, "n,,"},
      {false, Binding::require, sasl_request, needs_tls},
      {false, Binding::disable, both_mechanisms, taken_away},
      {false, Binding::prefer, both_mechanisms, taken_away},
      {false, Binding::require, both_mechanisms, needs_tls},
      {true, Binding::disable, sasl_request, "n,,"},
      {true, Binding::prefer, sasl_request, "y,,"},
      {true, Binding::require, sasl_request,
       "the server offers SCRAM-SHA-256 for authentication; channel_binding=require wants "
       "SCRAM-SHA-256-PLUS"},
      {true, Binding::disable, both_mechanisms, "n,,"},
      {true, Binding::prefer, both_mechanisms, "p=tls-server-end-point,,"},
      {true, Binding::disable, plus_alone,
       "the server offers SCRAM-SHA-256-PLUS for authentication; only SCRAM-SHA-256 is allowed by "
       "channel_binding=disable"},
      {true, Binding::prefer, plus_alone, "p=tls-server-end-point,,"},
  };
  for (const Case& one : cases) {
    Session session;
    if (one.tls) session.over_tls();
    session.conninfo.channel_binding = one.binding;
    const State state = session.feed(one.request);
    const std::string sent = session.sent();
    const size_t at = sent.find("n=,r=");
    const size_t header = sent.find_first_of("nyp", sent.find("SHA-256") + 12);
    EXPECT_EQ(state == State::failed ? session.startup.failure() : sent.substr(header, at - header),
              one.expected);
    EXPECT_EQ(sent.empty(), state == State::failed);
  }
}

// Else who stands between would have it so by a certificate of that kind.
TEST(Startup, ACertificateWithoutAHashIsNotBoundTo) {
  Session session;
  session.over_tls("");
  EXPECT_EQ(session.feed(both_mechanisms), State::failed);
  EXPECT_EQ(session.startup.failure(),
            "the server's certificate is signed by an algorithm that channel binding has no hash "
            "for; set channel_binding=disable, or give the server another");
  Session unbound;
  unbound.over_tls("").conninfo.channel_binding = Binding::disable;
  EXPECT_EQ(unbound.feed(both_mechanisms), State::sasl_first);
}

const std::string cleartext_request = "R\0\0\0\x08\0\0\0\3"s;
const std::string md5_request = "R\0\0\0\x0c\0\0\0\5salt"s;

TEST(Startup, TellsThePasswordAsItIsAskedTo) {
  Session clear;
  EXPECT_EQ(clear.feed(cleartext_request), State::authenticating);
  EXPECT_EQ(clear.sent(), "p\0\0\0\x0bpencil\0"sv);
  EXPECT_EQ(clear.feed(authentication_ok + ready), State::ready);
  // "md5" + md5(md5("pencil" + "alice") + "salt"), worked out with Python's hashlib.
  Session hashed;
  EXPECT_EQ(hashed.feed(md5_request), State::authenticating);
  EXPECT_EQ(hashed.sent(), "p\0\0\0\x28md5b49de27f011469d6386d334319e95a6a\0"sv);
  EXPECT_EQ(hashed.feed(authentication_ok + ready), State::ready);
  Session without("");
  EXPECT_EQ(without.feed(md5_request), State::failed);
  EXPECT_TRUE(without.startup.failure().starts_with("the server asks for a password and none"));
}

TEST(Startup, NoPasswordLeavesThatRequireAuthOrChannelBindingForbids) {
  struct Case {
    std::string request, what;
    Conninfo::AuthMethod method;
  };
  const Case cases[] = {
      {cleartext_request, "a password in clear text", Conninfo::AuthMethod::password},
      {md5_request, "an MD5 password", Conninfo::AuthMethod::md5}};
  for (const Case& one : cases) {
    Session forbidden;
    forbidden.conninfo.require_auth.reset(static_cast<size_t>(one.method));
    EXPECT_EQ(forbidden.feed(one.request), State::failed);
    EXPECT_EQ(forbidden.startup.failure(),
              "the server asks for " + one.what + ", which require_auth does not allow");
    EXPECT_EQ(forbidden.sent(), "");
    Session bound;
    bound.over_tls().conninfo.channel_binding = Binding::require;
    EXPECT_EQ(bound.feed(one.request), State::failed);
    EXPECT_EQ(bound.startup.failure(),
              "the server asks for " + one.what + ", which channel_binding=require does not allow");
    EXPECT_EQ(bound.sent(), "");
  }
  Session trusting;
  trusting.over_tls().conninfo.channel_binding = Binding::require;
  EXPECT_EQ(trusting.feed(authentication_ok), State::failed);
  EXPECT_EQ(trusting.startup.failure(),
            "the server lets us in without SCRAM-SHA-256-PLUS, which channel_binding=require does "
            "not allow");
}

TEST(Startup, AClientCertificateThatIsRequiredHasToBeAskedForAndSent) {
  const auto failure = [](bool asked, bool sent) {
    Session session;
    session.over_tls().conninfo.ssl.certmode = Conninfo::Ssl::CertMode::require;
    session.channel.certificate_asked = asked;
    session.channel.certificate_sent = sent;
    session.feed(authentication_ok);
    return session.startup.failure();
  };
  EXPECT_EQ(failure(true, true), "");
  EXPECT_EQ(failure(false, false),
            "the server asks for no client certificate, which sslcertmode=require wants");
  EXPECT_EQ(failure(true, false),
            "the server does without a client certificate, which sslcertmode=require wants: name "
            "one by sslcert and sslkey");
}

TEST(Startup, OnlyAServerThatHasNotLetUsInHasRefusedUs) {
  const std::string refusal = message('E', "SFATAL\0VFATAL\0C28000\0Mno\0\0"sv);
  for (const std::string& before : {""s, sasl_request, md5_request}) {
    Session session;
    EXPECT_EQ(session.feed(before + refusal), State::failed);
    EXPECT_TRUE(session.startup.refused());
  }
  Session let_in;
  EXPECT_EQ(let_in.feed(authentication_ok + refusal), State::failed);
  EXPECT_FALSE(let_in.startup.refused());
  Session own;
  EXPECT_EQ(own.feed(ready), State::failed);
  EXPECT_FALSE(own.startup.refused());
}

TEST(Startup, TakesNoticesAnywhere) {
  Session session;
  EXPECT_EQ(session.feed(notice + sasl_request + notice + sasl_continue + notice + sasl_final +
                         notice + authentication_ok + notice + key_data + notice + ready),
            State::ready);
}

TEST(Startup, ServersErrorEndsItAtEachStep) {
  const std::string refusal = message(
      'E', "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"alice\"\0\0"sv);
  const std::string steps[] = {"",         sasl_request,      sasl_continue,
                               sasl_final, authentication_ok, key_data};
  std::string before;
  for (const std::string& step : steps) {
    before += step;
    Session session;
    EXPECT_EQ(session.feed(before + refusal), State::failed);
    ASSERT_TRUE(session.startup.server_error());
    EXPECT_EQ(session.startup.server_error()->sqlstate, "28P01");
    EXPECT_EQ(session.startup.failure(),
              "FATAL 28P01: password authentication failed for user \"alice\"");
  }
}

struct Failure {
  std::string input, why;
};

TEST(Startup, NamesAMethodItDoesNotKnow) {
  const std::string advice =
      ", which is not supported: give this role scram-sha-256 in pg_hba.conf, or cert, or trust";
  const Failure cases[] = {
      {"R\0\0\0\x08\0\0\0\2"s, "the server asks for Kerberos V5" + advice},
      {"R\0\0\0\x08\0\0\0\7"s, "the server asks for GSSAPI" + advice},
      {"R\0\0\0\x08\0\0\0\x09"s, "the server asks for SSPI" + advice},
      {"R\0\0\0\x08\0\0\0\x0d"s, "the server asks for an unknown method" + advice},
      {message('R', "\0\0\0\nOAUTHBEARER\0SCRAM-SHA-512\0\0"sv),
       "the server offers OAUTHBEARER, SCRAM-SHA-512 for authentication; only SCRAM-SHA-256 and "
       "SCRAM-SHA-256-PLUS are supported"},
  };
  for (const Failure& one : cases) {
    Session session;
    EXPECT_EQ(session.feed(one.input), State::failed);
    EXPECT_EQ(session.startup.failure(), one.why);
    EXPECT_FALSE(session.startup.server_error());
    EXPECT_EQ(session.sent(), "") << "no password leaves for a server that asks in another way";
  }
}

TEST(Startup, SaysWhenAPasswordIsMissing) {
  Session session("");
  EXPECT_EQ(session.feed(sasl_request), State::failed);
  EXPECT_EQ(session.startup.failure(),
            "the server asks for a password and none is set: put it into DATABASE_URL, or set "
            "PGPASSWORD");
}

TEST(Startup, TakesTheMethodsThatRequireAuthNames) {
  using Method = Conninfo::AuthMethod;
  const auto only = [](Method method) {
    return Conninfo::AuthMethods().set(static_cast<size_t>(method));
  };
  Session trusting;
  trusting.conninfo.require_auth = only(Method::scram_sha_256);
  EXPECT_EQ(trusting.feed(authentication_ok), State::failed);
  EXPECT_EQ(trusting.startup.failure(),
            "the server asks for no authentication, which require_auth does not allow");
  Session proving;
  proving.conninfo.require_auth = only(Method::none);
  EXPECT_EQ(proving.feed(sasl_request), State::failed);
  EXPECT_EQ(proving.startup.failure(),
            "the server asks for SCRAM-SHA-256, which require_auth does not allow");
  EXPECT_EQ(proving.sent(), "");
  Session both;
  both.conninfo.require_auth = only(Method::scram_sha_256);
  EXPECT_EQ(both.feed(sasl_request + sasl_continue + sasl_final + authentication_ok),
            State::starting);
}

TEST(Startup, RefusesAServerThatEndsTheExchangeEarly) {
  const std::string_view steps[] = {sasl_request, sasl_continue};
  std::string before;
  for (const std::string_view step : steps) {
    before += step;
    Session session;
    EXPECT_EQ(session.feed(before + authentication_ok), State::failed) << before;
  }
}

TEST(Startup, NamesWhatIsOutOfPlace) {
  const Failure cases[] = {
      {ready, "ReadyForQuery has no place in authentication"},
      {key_data, "BackendKeyData has no place in authentication"},
      {server_version, "ParameterStatus has no place in authentication"},
      {sasl_request + key_data, "BackendKeyData has no place in the SCRAM exchange"},
      {sasl_request + sasl_continue + ready,
       "ReadyForQuery has no place in the end of the SCRAM exchange"},
      {authentication_ok + authentication_ok, "AuthenticationRequest has no place in start-up"},
      {authentication_ok + message('D', "\0\0"sv), "DataRow has no place in start-up"},
      {authentication_ok + message('1', ""), "ParseComplete has no place in start-up"},
      {sasl_continue, "AuthenticationRequest 11 has no place in authentication"},
      {sasl_final, "AuthenticationRequest 12 has no place in authentication"},
      {sasl_request + sasl_request, "AuthenticationRequest 10 has no place in the SCRAM exchange"},
      {sasl_request + sasl_final, "AuthenticationRequest 12 has no place in the SCRAM exchange"},
      {sasl_request + sasl_continue + sasl_continue,
       "AuthenticationRequest 11 has no place in the end of the SCRAM exchange"},
      {sasl_request + sasl_continue + sasl_final + sasl_request,
       "AuthenticationRequest 10 has no place in authentication"},
      {"R\0\0\0\x08\0\0\0\3R\0\0\0\x08\0\0\0\3"s,
       "AuthenticationRequest 3 has no place in authentication"},
  };
  for (const Failure& one : cases) {
    Session session;
    EXPECT_EQ(session.feed(one.input), State::failed) << one.why;
    EXPECT_EQ(session.startup.failure(), one.why);
  }
}

TEST(Startup, RefusesWhatIsMalformed) {
  const Failure cases[] = {
      {message('R', "\0\0\0"sv), "AuthenticationRequest is malformed"},
      {"R\0\0\0\x0b\0\0\0\5sal"s, "AuthenticationMD5Password is malformed"},
      {message('R', "\0\0\0\nSCRAM-SHA-256\0"sv), "AuthenticationSASL is malformed"},
      {message('R', "\0\0\0\nSCRAM-SHA-256"sv), "AuthenticationSASL is malformed"},
      {message('R', "\0\0\0\n"sv), "AuthenticationSASL is malformed"},
      {message('R', "\0\0\0\nSCRAM-SHA-256\0\0x"sv), "AuthenticationSASL is malformed"},
      {sasl_request + message('R', "\0\0\0\x0bnonsense"sv),
       "the server's first SCRAM message is malformed"},
      {sasl_request + sasl_continue + message('R', "\0\0\0\x0cv=AAAA"sv),
       "the server's SCRAM signature is wrong: it does not know this password"},
      {authentication_ok + message('K', "\0\0\0\1"sv), "BackendKeyData is malformed"},
      {authentication_ok + message('S', "name\0value"sv), "ParameterStatus is malformed"},
      {authentication_ok + message('Z', "T"), "the session begins inside a transaction"},
      {authentication_ok + message('S', "client_encoding\0LATIN1\0"sv),
       "the server does not talk UTF8 but LATIN1"},
      {authentication_ok + message('S', "integer_datetimes\0off\0"sv),
       "the server's integer_datetimes is off"},
  };
  for (const Failure& one : cases) {
    Session session;
    EXPECT_EQ(session.feed(one.input), State::failed) << one.why;
    EXPECT_EQ(session.startup.failure(), one.why);
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
