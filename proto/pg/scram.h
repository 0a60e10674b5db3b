// SCRAM-SHA-256, the client's side (RFC 5802, RFC 7677; PostgreSQL 18 documentation, 54.3 "SASL
// Authentication").
//
//     first_message() ─▶ server-first ─▶ take_first() ─▶ server-final ─▶ take_final()
//
// Cryptography comes in as functions, so that this room needs none (src/pg/crypto has OpenSSL's).
// The password is kept until the salted password is made of it, and wiped; that is wiped with the
// object.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace ringpost::proto::pg {

using Digest = std::array<uint8_t, 32>;

struct Crypto {
  Digest (*sha256)(std::string_view data);
  Digest (*hmac_sha256)(std::string_view key, std::string_view data);
  // PBKDF2 with HMAC-SHA-256 and one block of output: RFC 5802's Hi().
  Digest (*pbkdf2_sha256)(std::string_view password, std::string_view salt, uint32_t iterations);
  // `size` unpredictable bytes.
  std::string (*random_bytes)(size_t size);
  // Whether both are equal, in a time that does not depend on where they differ.
  bool (*equal)(std::string_view a, std::string_view b);
};

class Scram {
 public:
  // `password` in UTF-8; it is prepared by SASLprep here. `crypto` outlives the object.
  Scram(const Crypto& crypto, std::string_view password);
  ~Scram();
  Scram(const Scram&) = delete;
  Scram& operator=(const Scram&) = delete;

  static constexpr std::string_view mechanism = "SCRAM-SHA-256";

  // The client-first-message.
  std::string first_message() const;
  // Takes the server-first-message, once; the client-final-message, or what is wrong with it.
  std::expected<std::string, std::string> take_first(std::string_view server_first);
  // Takes the server-final-message: proves that the server knows the password too.
  std::expected<void, std::string> take_final(std::string_view server_final);

 private:
  const Crypto& crypto_;
  std::string password_;
  std::string client_first_bare_, auth_message_;
  std::string nonce_;
  Digest salted_password_{};
};

}  // namespace ringpost::proto::pg
