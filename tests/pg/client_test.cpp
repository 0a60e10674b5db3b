#include "src/pg/client.h"

#include <array>
#include <stdexcept>

#include <gtest/gtest.h>

#include "src/io/sleep.h"

using namespace std::chrono_literals;

namespace ringpost::pg {
namespace {

struct One {
  int32_t one;
  static constexpr auto columns = std::tuple{&One::one};
};
constexpr auto ping = proto::pg::read<One()>("ping", "select 1");
constexpr std::array<const proto::pg::StatementDescription*, 1> statements{&ping};

TEST(OptionsFor, ReadsAConnectionString) {
  const auto options = options_for("postgresql://alice@db.example:5433/shop?connect_timeout=3");
  ASSERT_TRUE(options) << options.error();
  EXPECT_EQ(options->conninfo.hosts.at(0).text(), "db.example:5433");
  EXPECT_EQ(options->conninfo.user, "alice");
  EXPECT_EQ(options->connect_timeout, 3s);
  const auto unlimited = options_for("postgresql://alice@db.example/shop?connect_timeout=0");
  ASSERT_TRUE(unlimited) << unlimited.error();
  EXPECT_GE(unlimited->connect_timeout, 24h);
  EXPECT_FALSE(options_for("postgresql://alice@db.example/shop?conect_timeout=3"));
}

// At a server that is not there: queries have their deadlines, and the end is the end.
TEST(Client, RunsItsWorkBesideThePool) {
  const auto options = options_for("postgresql://alice@%2Fnowhere%2Fat%2Fall/shop");
  ASSERT_TRUE(options) << options.error();
  Client client(*options, statements);
  std::optional<Error> error;
  client.run([&error](Client& each) -> io::Task<void> {
    auto query = each.pool().query(ping, each.within(20ms));
    const auto rows = co_await query;
    if (!rows) error = rows.error();
  });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, Error::Kind::unavailable);
}

TEST(Client, ThrowsWhatItsWorkThrows) {
  const auto options = options_for("postgresql://alice@%2Fnowhere%2Fat%2Fall/shop");
  ASSERT_TRUE(options) << options.error();
  Client client(*options, statements);
  EXPECT_THROW(client.run([](Client& each) -> io::Task<void> {
    co_await io::Sleep(each.reactor(), 1ms, nullptr);
    throw std::runtime_error("enough");
  }),
               std::runtime_error);
}

}  // namespace
}  // namespace ringpost::pg
