#include "src/pg/crypto.h"

#include <optional>
#include <stdexcept>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace ringpost::pg {

using proto::pg::Digest;

namespace {

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// These fail when OpenSSL has no memory or its provider is broken: nothing that a log-in could go
// on from.
void require(bool done) {
  if (!done) throw std::runtime_error("OpenSSL failed");
}

Digest sha256(std::string_view data) {
  Digest digest;
  require(EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return digest;
}

Digest hmac_sha256(std::string_view key, std::string_view data) {
  Digest digest;
  require(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(data), data.size(),
               digest.data(), nullptr) != nullptr);
  return digest;
}

Digest pbkdf2_sha256(std::string_view password, std::string_view salt, uint32_t iterations) {
  Digest digest;
  require(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes(salt),
                            static_cast<int>(salt.size()), static_cast<int>(iterations),
                            EVP_sha256(), static_cast<int>(digest.size()), digest.data()) == 1);
  return digest;
}

std::string random_bytes(size_t size) {
  std::string random(size, '\0');
  require(RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(size)) == 1);
  return random;
}

std::optional<proto::pg::Md5Digest> md5(std::string_view data) {
  proto::pg::Md5Digest digest;
  const bool done =
      EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_md5(), nullptr) == 1;
  ERR_clear_error();
  return done ? std::optional(digest) : std::nullopt;
}

bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

const proto::pg::Crypto& openssl_crypto() {
  static constexpr proto::pg::Crypto crypto{sha256,       hmac_sha256, pbkdf2_sha256,
                                            random_bytes, equal,       md5};
  return crypto;
}

}  // namespace ringpost::pg
