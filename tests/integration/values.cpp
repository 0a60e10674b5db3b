// Each type of proto/pg/values.h, sent to a real PostgreSQL and read back: what was sent, what the
// server writes as its text, and what it makes of that text.
//
//     PGHOST=SOCKET_FOLDER PGPORT=PORT PGUSER=USER PGDATABASE=NAME values      logs in by trust
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/pg/calendar.h"
#include "proto/pg/enum.h"
#include "proto/pg/statement.h"

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

std::string setting(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

// A session that waits for each answer.
class Session {
 public:
  Session() : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string path = setting("PGHOST") + "/.s.PGSQL." + setting("PGPORT");
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return;
    const std::string user = setting("PGUSER"), database = setting("PGDATABASE");
    const std::pair<std::string_view, std::string_view> parameters[] = {
        {"user", user}, {"database", database}, {"client_encoding", "UTF8"}, {"TimeZone", "UTC"}};
    wire::Buffer out;
    encode_startup(out, 3 << 16, parameters);
    send(out);
  }
  ~Session() { ::close(socket_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The row that a statement brings, which lives until the next is asked; none when anything at all
  // goes wrong.
  template <class Row, class... Parameters>
  std::optional<Row> ask(std::string_view sql, const Parameters&... parameters) {
    const auto statement = pg::read<Row(Parameters...)>("", sql);
    wire::Buffer out;
    encode_parse(out, "", sql, statement.parameters);
    encode_describe_statement(out, "");
    exchange(out);
    const auto checked = statement.check(body_of(BackendMessage::ParameterDescription),
                                         body_of(BackendMessage::RowDescription));
    if (!checked) {
      ADD_FAILURE() << sql << ": " << checked.error() << ' '
                    << body_of(BackendMessage::ErrorResponse);
      return std::nullopt;
    }
    out.clear();
    if (!statement.encode_bind(out, parameters...)) return std::nullopt;
    exchange(out);
    EXPECT_EQ(body_of(BackendMessage::ErrorResponse), "") << sql;
    return Rows<Row>(answer_).next();
  }

 private:
  // Sends `out` and a Sync, and receives up to ReadyForQuery.
  void exchange(wire::Buffer& out) {
    out.append("S\0\0\0\4"sv);
    send(out);
  }
  void send(const wire::Buffer& out) {
    answer_.clear();
    std::string_view rest = out.view();
    while (!rest.empty()) {
      const ssize_t sent = ::write(socket_, rest.data(), rest.size());
      if (sent <= 0) return;
      rest.remove_prefix(static_cast<size_t>(sent));
    }
    char bytes[65536];
    while (!answer_.ends_with("Z\0\0\0\5I"sv)) {
      const ssize_t received = ::read(socket_, bytes, sizeof bytes);
      if (received <= 0) return;
      answer_.append(bytes, static_cast<size_t>(received));
    }
  }

  // Of the first message of that type in the answer.
  std::string_view body_of(BackendMessage type) const {
    std::string_view rest = answer_;
    for (Message message; next_message(rest, message) == wire::Parse::complete;) {
      if (message.type == type) return message.body;
      rest.remove_prefix(message.size);
    }
    return {};
  }

  int socket_;
  std::string answer_;
};

template <class T>
struct Echo {
  std::string_view text;
  T same, of_text;
  static constexpr auto columns = std::tuple{&Echo::text, &Echo::same, &Echo::of_text};
};

enum class Weather : uint8_t { fair, foul };
constexpr auto enum_labels(Weather) {
  return std::array{std::pair{Weather::fair, "fair"}, std::pair{Weather::foul, "foul"}};
}

class Values : public testing::Test {
 protected:
  // `text`: what PostgreSQL writes for `value` as a `type`.
  template <class T>
  void expect(const T& value, const std::string& type, std::string_view text) {
    const std::string parameter = "$1::" + type;
    const std::string sql = "select " + parameter + "::text, " + parameter + ", $2::text::" + type;
    const auto row = session_.ask<Echo<T>>(sql, value, text);
    ASSERT_TRUE(row) << type << ' ' << text.substr(0, 100);
    EXPECT_EQ(row->text, text) << type;
    EXPECT_TRUE(row->same == value) << type << ' ' << text.substr(0, 100);
    EXPECT_TRUE(row->of_text == value) << type << ' ' << text.substr(0, 100);
  }

  template <class T>
  struct One {
    T value;
    static constexpr auto columns = std::tuple{&One::value};
  };
  template <class T>
  std::optional<T> read(std::string_view sql) {
    const auto row = session_.ask<One<T>>(sql);
    return row ? std::optional(row->value) : std::nullopt;
  }

  Session session_;
};

TEST_F(Values, Numbers) {
  expect<int16_t>(-32768, "int2", "-32768");
  expect<int32_t>(std::numeric_limits<int32_t>::max(), "int4", "2147483647");
  expect<int64_t>(std::numeric_limits<int64_t>::min(), "int8", "-9223372036854775808");
  expect<uint32_t>(4'294'967'295, "oid", "4294967295");
  expect(true, "bool", "true");
  expect(1.5F, "float4", "1.5");
  expect(std::numeric_limits<float>::denorm_min(), "float4", "1e-45");
  expect(-std::numeric_limits<float>::infinity(), "float4", "-Infinity");
  expect(0.1, "float8", "0.1");
  EXPECT_TRUE(std::isnan(*read<float>("select 'NaN'::float4")));
}

TEST_F(Values, Numeric) {
  for (const char* text : {"0", "0.00", "-1", "10000", "12345.678", "-0.00012", "0.000000001",
                           "99999999", "10000.0001", "1.50", "NaN", "Infinity", "-Infinity"})
    expect(*parse_numeric(text), "numeric", text);
  for (const std::string& text :
       {"7" + std::string(131'071, '9'), "0." + std::string(16'382, '0') + "1"})
    expect(*parse_numeric(text), "numeric", text);
}

TEST_F(Values, DatesAndTimes) {
  expect(Date{0}, "date", "2000-01-01");
  expect(Date{-1}, "date", "1999-12-31");
  expect(to_date(std::chrono::sys_days(std::chrono::year(0) / 2 / 29)), "date", "0001-02-29 BC");
  expect(to_date(std::chrono::sys_days(std::chrono::year(-4712) / 1 / 1)), "date", "4713-01-01 BC");
  expect(Date{2'145'031'948}, "date", "5874897-12-31");
  expect(date_infinity, "date", "infinity");
  expect(date_minus_infinity, "date", "-infinity");
  expect(Time{}, "time", "00:00:00");
  expect(Time{14'706'000'007}, "time", "04:05:06.000007");
  expect(Time{86'400'000'000}, "time", "24:00:00");
  expect(Timestamp{-63'082'281'600'000'001}, "timestamp", "0001-12-31 23:59:59.999999 BC");
  expect(Timestamp{-1}, "timestamp", "1999-12-31 23:59:59.999999");
  expect(timestamp_infinity, "timestamp", "infinity");
  expect(timestamp_minus_infinity, "timestamp", "-infinity");
  expect(Timestamptz{1'000'000}, "timestamptz", "2000-01-01 00:00:01+00");
  expect(infinity, "timestamptz", "infinity");
  expect(Interval{.microseconds = 14'706'000'007, .days = 3, .months = 14}, "interval",
         "1 year 2 mons 3 days 04:05:06.000007");
  expect(Interval{.microseconds = -1, .days = 5, .months = -3}, "interval",
         "-3 mons +5 days -00:00:00.000001");
  if (read<int32_t>("select current_setting('server_version_num')::int4") >= 170000) {
    expect(interval_infinity, "interval", "infinity");
    expect(interval_minus_infinity, "interval", "-infinity");
  }
}

TEST_F(Values, BytesAndText) {
  expect("Zo\xc3\xab"sv, "text", "Zo\xc3\xab");
  expect("Zo\xc3\xab"s, "varchar", "Zo\xc3\xab");
  expect("Zoe  "s, "char(5)", "Zoe");
  expect("Zoe"sv, "name", "Zoe");
  expect(""s, "text", "");
  expect(Bytea{"\0\xff\\"sv}, "bytea", "\\x00ff5c");
  expect(Bytea{}, "bytea", "\\x");
  expect(Json{"{\"b\":  1, \"a\": null}"}, "json", "{\"b\":  1, \"a\": null}");
  expect(Jsonb{"{\"a\": null, \"b\": 1}"}, "jsonb", "{\"a\": null, \"b\": 1}");
  expect(Uuid{{0x12, 0x3e}}, "uuid", "123e0000-0000-0000-0000-000000000000");
}

TEST_F(Values, Enums) {
  expect(Enum{"fair"}, "weather", "fair");
  expect(Weather::foul, "weather", "foul");
  EXPECT_EQ(read<std::vector<Weather>>("select '{foul,fair}'::weather[]"),
            (std::vector{Weather::foul, Weather::fair}));
  EXPECT_EQ(read<std::vector<std::optional<Enum>>>("select '{foul,NULL}'::weather[]"),
            (std::vector{std::optional(Enum{"foul"}), std::optional<Enum>()}));
}

TEST_F(Values, Addresses) {
  Inet inet{.address = {192, 168, 1, 2}};
  expect(inet, "inet", "192.168.1.2/32");
  inet.prefix_length = 0;
  inet.address = {};
  expect(inet, "inet", "0.0.0.0/0");
  inet = {.family = Inet::Family::v6, .prefix_length = 64, .address = {0x20, 1, 0xd, 0xb8}};
  inet.address[15] = 5;
  expect(inet, "inet", "2001:db8::5/64");
  inet = {.prefix_length = 8, .is_cidr = true, .address = {10}};
  expect(inet, "cidr", "10.0.0.0/8");
}

TEST_F(Values, Arrays) {
  expect(std::vector<std::optional<int32_t>>{1, std::nullopt, 3}, "int4[]", "{1,NULL,3}");
  expect(std::vector<int64_t>{}, "int8[]", "{}");
  expect(std::vector{true, false}, "bool[]", "{t,f}");
  expect(std::vector{"a"s, ""s, "NULL"s, "x\"y"s}, "text[]", R"({a,"","NULL","x\"y"})");
  expect(std::vector{*parse_numeric("1.50"), *parse_numeric("NaN")}, "numeric[]", "{1.50,NaN}");
  expect(std::vector{Jsonb{"[1, 2]"}}, "jsonb[]", "{\"[1, 2]\"}");
  expect(std::vector{1.5F}, "float4[]", "{1.5}");
  expect(std::vector{1.5, -0.0}, "float8[]", "{1.5,-0}");
  expect(std::vector<int16_t>{1, -1}, "int2[]", "{1,-1}");
  expect(std::vector<uint32_t>{26}, "oid[]", "{26}");
  expect(std::vector{Bytea{"\0\xff"sv}}, "bytea[]", R"({"\\x00ff"})");
  expect(std::vector{Json{"[1,  2]"}}, "json[]", "{\"[1,  2]\"}");
  expect(std::vector<std::optional<Uuid>>{Uuid{{0x12}}, std::nullopt}, "uuid[]",
         "{12000000-0000-0000-0000-000000000000,NULL}");
  expect(std::vector{Date{1}}, "date[]", "{2000-01-02}");
  expect(std::vector{Time{1}}, "time[]", "{00:00:00.000001}");
  expect(std::vector{Timestamp{0}, timestamp_infinity}, "timestamp[]",
         "{\"2000-01-01 00:00:00\",infinity}");
  expect(std::vector{Timestamptz{0}, minus_infinity}, "timestamptz[]",
         "{\"2000-01-01 00:00:00+00\",-infinity}");
  expect(std::vector{Interval{.microseconds = 0, .days = -1}}, "interval[]", "{\"-1 days\"}");
  expect(std::vector{Inet{.prefix_length = 8, .address = {10}}}, "inet[]", "{10.0.0.0/8}");
  EXPECT_EQ(read<std::vector<int16_t>>("select '[5:6]={1,2}'::int2[]"),
            (std::vector<int16_t>{1, 2}));
  EXPECT_EQ(read<std::vector<int32_t>>("select '{{1,2},{3,4}}'::int4[]"), std::nullopt)
      << "two dimensions";
}

TEST_F(Values, Nulls) {
  using Maybe = std::optional<Numeric>;
  const auto row =
      session_.ask<One<Maybe>>("select coalesce($1::numeric, $2::numeric)", Maybe(), Maybe());
  ASSERT_TRUE(row);
  EXPECT_EQ(row->value, std::nullopt);
  EXPECT_EQ(read<Numeric>("select null::numeric"), std::nullopt) << "where none may be";
}

}  // namespace
}  // namespace ringpost::proto::pg
