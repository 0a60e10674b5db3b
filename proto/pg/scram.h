// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the client's side (RFC 5802, RFC 7677, RFC 5929;
// PostgreSQL 18 documentation, 54.3 "SASL Authentication").
//
//     first_message() ─▶ server-first ─▶ take_first()
//                        salting() ─▶ the salted password ─▶ respond() ─▶ server-final
//                                                                 take_final() ◀─┘
//
// Making the salted password takes as long as the server wishes, so it is the caller's to do,
// elsewhere, and to keep. Cryptography comes in as functions, so that this room needs none
// (src/pg/crypto has OpenSSL's). The password is kept until respond(), and wiped; the keys are
// wiped with the object.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::proto::pg {

using Digest = std::array<uint8_t, 32>;
using Md5Digest = std::array<uint8_t, 16>;

struct Crypto {
  Digest (*sha256)(std::string_view data);
  Digest (*hmac_sha256)(std::string_view key, std::string_view data);
  // PBKDF2 with HMAC-SHA-256 and one block of output: RFC 5802's Hi().
  Digest (*pbkdf2_sha256)(std::string_view password, std::string_view salt, uint32_t iterations);
  // `size` unpredictable bytes.
  std::string (*random_bytes)(size_t size);
  // Whether both are equal, in a time that does not depend on where they differ.
  bool (*equal)(std::string_view a, std::string_view b);
  // Nothing where it is not allowed, as by FIPS 140.
  std::optional<Md5Digest> (*md5)(std::string_view data);
};

class Scram {
 public:
  // What the client says of channel binding (RFC 5802, 6).
  enum class Binding : char {
    none = 'n',         // it does not do it
    not_offered = 'y',  // it would, and takes it that the server does not: who took the offer away
                        // between both is found out by the server
    bound = 'p',        // to the server's certificate: SCRAM-SHA-256-PLUS
  };

  // `password` in UTF-8; it is prepared by SASLprep here. `end_point`: tls-server-end-point of RFC
  // 5929, where bound. `crypto` outlives the object.
  Scram(const Crypto& crypto, std::string_view password, Binding binding = Binding::none,
        std::string_view end_point = {});
  ~Scram();
  Scram(const Scram&) = delete;
  Scram& operator=(const Scram&) = delete;

  static constexpr std::string_view unbound_mechanism = "SCRAM-SHA-256",
                                    bound_mechanism = "SCRAM-SHA-256-PLUS";
  std::string_view mechanism() const { return bound() ? bound_mechanism : unbound_mechanism; }
  bool bound() const { return binding_ == Binding::bound; }

  // A server may ask for any number of iterations. These are half a second of a processor;
  // PostgreSQL's default is 4,096.
  static constexpr uint32_t most_iterations = 1'000'000;

  // The client-first-message.
  std::string first_message() const;
  // Takes the server-first-message, once; or what is wrong with it.
  std::expected<void, std::string> take_first(std::string_view server_first);
  // What the salted password is made of, by Crypto::pbkdf2_sha256: views of the object, until
  // respond().
  struct Salting {
    std::string_view password, salt;
    uint32_t iterations;
  };
  Salting salting() const { return {password_, salt_, iterations_}; }
  // The client-final-message.
  std::string respond(const Digest& salted_password);
  // Takes the server-final-message: proves that the server knows the password too.
  std::expected<void, std::string> take_final(std::string_view server_final);

 private:
  std::string gs2_header() const;

  const Crypto& crypto_;
  std::string password_;
  Binding binding_;
  std::string end_point_;
  std::string client_first_bare_, server_first_, auth_message_;
  std::string nonce_;  // ours, then both sides'
  std::string salt_;
  uint32_t iterations_ = 0;
  Digest salted_password_{};
};

}  // namespace ringpost::proto::pg
