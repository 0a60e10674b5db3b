#include "src/pg/scram_keys.h"

#include <atomic>

#include <gtest/gtest.h>

#include "src/pg/crypto.h"
#include "tests/support/plain_crypto.h"
#include "tests/support/reactor.h"

namespace ringpost::pg {
namespace {

using namespace std::chrono_literals;
using io::Reactor, io::Task;
using proto::pg::Digest, proto::pg::Scram;

std::atomic<int> made{0};

proto::pg::Crypto counting() {
  proto::pg::Crypto crypto = openssl_crypto();
  crypto.pbkdf2_sha256 = [](std::string_view password, std::string_view salt, uint32_t iterations) {
    ++made;
    return openssl_crypto().pbkdf2_sha256(password, salt, iterations);
  };
  return crypto;
}

TEST(ScramKeys, AreMadeOnce) {
  tests::run_on_reactor([](Reactor& reactor) -> Task<void> {
    made = 0;
    const proto::pg::Crypto crypto = counting();
    ScramKeys keys(reactor, crypto);
    const io::Until until{reactor.now() + 5s};
    for (int i = 0; i < 2; ++i) {
      const Result<Digest> key = co_await keys.salted({"pencil", "salt", 3}, until);
      EXPECT_EQ(*key, tests::plain_pbkdf2_sha256("pencil", "salt", 3));
      EXPECT_EQ(made, 1);
    }
    // Anything else is another one.
    const Scram::Salting others[] = {
        {"pencil", "salt", 4}, {"pencils", "alt", 3}, {"encil", "saltp", 3}, {"pen", "salt", 3}};
    for (const Scram::Salting& other : others) {
      const Result<Digest> key = co_await keys.salted(other, until);
      EXPECT_EQ(*key, tests::plain_pbkdf2_sha256(other.password, other.salt, other.iterations));
    }
    EXPECT_EQ(made, 5);
  });
}

TEST(ScramKeys, KeepsSomeOfThem) {
  tests::run_on_reactor([](Reactor& reactor) -> Task<void> {
    made = 0;
    const proto::pg::Crypto crypto = counting();
    ScramKeys keys(reactor, crypto);
    const io::Until until{reactor.now() + 5s};
    for (uint32_t i = 1; i <= ScramKeys::most + 1; ++i) {
      const Result<Digest> key = co_await keys.salted({"pencil", "salt", i}, until);
      EXPECT_TRUE(key);
    }
    EXPECT_EQ(keys.size(), ScramKeys::most);
    const Result<Digest> newest = co_await keys.salted({"pencil", "salt", 17}, until);
    EXPECT_TRUE(newest);
    EXPECT_EQ(made, 17);
    const Result<Digest> oldest = co_await keys.salted({"pencil", "salt", 1}, until);
    EXPECT_TRUE(oldest);
    EXPECT_EQ(made, 18);
  });
}

// As many iterations as a server may ask for: the shard goes on meanwhile.
TEST(ScramKeys, HaveADeadline) {
  tests::run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScramKeys keys(reactor, openssl_crypto());
    const io::Time began = io::Clock::now();
    const Result<Digest> key =
        co_await keys.salted({"pencil", "salt", Scram::most_iterations}, {reactor.now() + 5ms});
    EXPECT_EQ(key.error().detail, "SCRAM's key: work of another thread: timed out");
    EXPECT_LT(io::Clock::now() - began, 100ms);
    EXPECT_EQ(keys.size(), 0u);
  });
}

}  // namespace
}  // namespace ringpost::pg
