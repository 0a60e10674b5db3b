#include "proto/pg/backend.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/pg_messages.h"

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

using tests::Exact, tests::message;
using wire::Parse;

Parse parse(std::string_view input, Message& out) {
  const Exact exact(input);
  const Parse result = next_message(exact.view(), out);
  out.body = {};  // it would outlive the bytes
  return result;
}

TEST(NextMessage, TakesTheFirstOfSeveral) {
  constexpr std::string_view input = "C\0\0\0\rSELECT 1\0Z\0\0\0\5I"sv;
  Message first;
  ASSERT_EQ(next_message(input, first), Parse::complete);
  EXPECT_EQ(first.type, BackendMessage::CommandComplete);
  EXPECT_EQ(first.body, "SELECT 1\0"sv);
  EXPECT_EQ(first.size, 14U);
  Message second;
  ASSERT_EQ(next_message(input.substr(first.size), second), Parse::complete);
  EXPECT_EQ(second.type, BackendMessage::ReadyForQuery);
  EXPECT_EQ(second.body, "I");
  EXPECT_EQ(second.size, 6U);
}

TEST(NextMessage, IsPartialAtEverySplit) {
  constexpr std::string_view input = "Z\0\0\0\5I"sv;
  Message out;
  for (size_t size = 0; size < input.size(); ++size)
    EXPECT_EQ(parse(input.substr(0, size), out), Parse::partial) << size;
  EXPECT_EQ(parse(input, out), Parse::complete);
}

TEST(NextMessage, FindsGarbageAsSoonAsItCan) {
  struct Case {
    const char* what;
    std::string_view input;
  };
  constexpr Case cases[] = {
      {"a type that no backend sends", "Q"sv},
      {"an HTTP answer", "HTTP/1.1 400 Bad Request\r\n"sv},
      {"TLS's alert", "\x15\x03\x01\x00\x02"sv},
      {"a type above 127", "\xd3\0\0\0\4"sv},
      {"a length below its own four bytes", "C\0\0\0\3"sv},
      {"a length of zero", "D\0\0\0\0"sv},
      {"a negative length", "D\xff\xff\xff\xff"sv},
      {"a message that has no body with one", "1\0\0\0\5x"sv},
      {"a ReadyForQuery of two bytes", "Z\0\0\0\6II"sv},
      {"a DataRow above the limit", "D\x40\0\0\5"sv},
  };
  Message out;
  for (const Case& one : cases) EXPECT_EQ(parse(one.input, out), Parse::invalid) << one.what;
}

TEST(NextMessage, AllowsTheLargestDataRow) {
  Message out;
  EXPECT_EQ(parse("D\x40\0\0\4"sv, out), Parse::partial);
  EXPECT_EQ(out.type, BackendMessage::DataRow);
  EXPECT_EQ(out.size, size_t{1} + longest_message);
}

// What can be said of a message by its type and length alone is said then: nothing is waited for
// that is of no use.
TEST(NextMessage, KnowsHowLongEachMayBe) {
  constexpr std::pair<char, int32_t> longest[] = {{'1', 4},
                                                  {'2', 4},
                                                  {'3', 4},
                                                  {'A', longest_message},
                                                  {'C', 1024},
                                                  {'D', longest_message},
                                                  {'E', longest_message},
                                                  {'G', 64 * 1024},
                                                  {'H', 64 * 1024},
                                                  {'I', 4},
                                                  {'K', 4 + 4 + 256},
                                                  {'N', longest_message},
                                                  {'R', 64 * 1024},
                                                  {'S', longest_message},
                                                  {'T', longest_message},
                                                  {'V', longest_message},
                                                  {'W', 64 * 1024},
                                                  {'Z', 5},
                                                  {'c', 4},
                                                  {'d', longest_message},
                                                  {'n', 4},
                                                  {'s', 4},
                                                  {'t', 4 + 2 + 4 * 65535},
                                                  {'v', 64 * 1024}};
  size_t known = 0;
  for (int code = 0; code < 256; ++code) {
    const char type = static_cast<char>(code);
    const auto* found = std::find_if(std::begin(longest), std::end(longest),
                                     [type](const auto& each) { return each.first == type; });
    const int32_t most = found == std::end(longest) ? 0 : found->second;
    known += most == 0 ? 0 : 1;
    Message out;
    const std::string longest_header = type + tests::int32(most);
    EXPECT_EQ(parse(longest_header, out), most == 0   ? Parse::invalid
                                          : most == 4 ? Parse::complete
                                                      : Parse::partial)
        << code;
    EXPECT_EQ(parse(type + tests::int32(int64_t{most} + 1), out), Parse::invalid) << code;
  }
  EXPECT_EQ(known, std::size(longest));
}

TEST(MessageName, IsTheSpecifications) {
  EXPECT_EQ(message_name(BackendMessage::RowDescription), "RowDescription");
  EXPECT_EQ(message_name(BackendMessage::ParameterDescription), "ParameterDescription");
  EXPECT_EQ(message_name(BackendMessage::NoData), "NoData");
  EXPECT_EQ(message_name(BackendMessage{'\xff'}), "a message of the unknown type 255");
}

TEST(BackendKeyData, Decodes) {
  const auto key = decode_backend_key_data("\0\1\2\3\xca\xfe\xba\xbe"sv);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->process_id, 0x00010203);
  EXPECT_EQ(key->secret_key, "\xca\xfe\xba\xbe"sv);
  // From protocol 3.2 on a key has up to 256 bytes.
  EXPECT_EQ(decode_backend_key_data("\0\0\0\1"s + std::string(256, 'k'))->secret_key,
            std::string(256, 'k'));
}

TEST(BackendKeyData, RefusesWhatIsTooShort) {
  constexpr std::string_view body = "\0\1\2\3\xca\xfe\xba\xbe"sv;
  for (size_t size = 0; size < body.size(); ++size)
    EXPECT_FALSE(decode_backend_key_data(Exact(body.substr(0, size)).view())) << size;
}

TEST(NegotiateProtocolVersion, Decodes) {
  const auto plain = decode_negotiate_protocol_version("\0\3\0\0\0\0\0\0"sv);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->version, 0x3'0000U);
  EXPECT_TRUE(plain->unknown_options.empty());
  constexpr std::string_view two = "\0\3\0\2\0\0\0\2_pq_.a\0_pq_.b\0"sv;
  const auto full = decode_negotiate_protocol_version(two);
  ASSERT_TRUE(full);
  EXPECT_EQ(full->version, 0x3'0002U);
  EXPECT_EQ(full->unknown_options, (std::vector<std::string_view>{"_pq_.a", "_pq_.b"}));
}

TEST(NegotiateProtocolVersion, RefusesEveryPrefixAndAnythingMore) {
  constexpr std::string_view body = "\0\3\0\2\0\0\0\2_pq_.a\0_pq_.b\0"sv;
  for (size_t size = 0; size < body.size(); ++size)
    EXPECT_FALSE(decode_negotiate_protocol_version(Exact(body.substr(0, size)).view())) << size;
  EXPECT_FALSE(decode_negotiate_protocol_version(std::string(body) + 'x'));
  EXPECT_FALSE(decode_negotiate_protocol_version("\0\3\0\0\xff\xff\xff\xff"sv))
      << "a negative number of options";
  EXPECT_FALSE(decode_negotiate_protocol_version("\0\3\0\0\x7f\xff\xff\xff\0"sv));
}

TEST(ParameterStatus, Decodes) {
  const auto status = decode_parameter_status("server_version\00016.3\0"sv);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->name, "server_version");
  EXPECT_EQ(status->value, "16.3");
}

TEST(ParameterStatus, RefusesEveryPrefixAndAnythingMore) {
  constexpr std::string_view body = "name\0value\0"sv;
  for (size_t size = 0; size < body.size(); ++size)
    EXPECT_FALSE(decode_parameter_status(Exact(body.substr(0, size)).view())) << size;
  EXPECT_FALSE(decode_parameter_status("name\0value\0more"sv));
}

constexpr std::string_view two_fields =
    "\0\2"
    "id\0\0\0\x40\1\0\1\0\0\x0b\x86\0\x10\xff\xff\xff\xff\0\1"
    "country_code\0\0\0\x40\1\0\5\0\0\4\x12\xff\xff\0\0\0\6\0\0"sv;

TEST(RowDescription, GivesItsFields) {
  std::vector<FieldDescription> fields;
  ASSERT_TRUE(
      for_each_field(two_fields, [&](const FieldDescription& one) { fields.push_back(one); }));
  ASSERT_EQ(fields.size(), 2U);
  EXPECT_EQ(fields[0].name, "id");
  EXPECT_EQ(fields[0].table, 0x4001U);
  EXPECT_EQ(fields[0].column, 1);
  EXPECT_EQ(fields[0].type, oid::uuid);
  EXPECT_EQ(fields[0].type_size, 16);
  EXPECT_EQ(fields[0].type_modifier, -1);
  EXPECT_EQ(fields[0].format, 1);
  EXPECT_EQ(fields[1].name, "country_code");
  EXPECT_EQ(fields[1].column, 5);
  EXPECT_EQ(fields[1].type, oid::bpchar);
  EXPECT_EQ(fields[1].type_size, -1) << "a type of variable size";
  EXPECT_EQ(fields[1].type_modifier, 6);
  EXPECT_EQ(fields[1].format, 0);
}

TEST(RowDescription, RefusesEveryPrefixAndAnythingMore) {
  const auto ignore = [](const FieldDescription&) {};
  for (size_t size = 0; size < two_fields.size(); ++size)
    EXPECT_FALSE(for_each_field(Exact(two_fields.substr(0, size)).view(), ignore)) << size;
  EXPECT_FALSE(for_each_field(std::string(two_fields) + 'x', ignore));
  EXPECT_FALSE(for_each_field("\xff\xff"sv, ignore)) << "a negative number of fields";
  EXPECT_TRUE(for_each_field("\0\0"sv, ignore));
}

TEST(ParameterDescription, GivesItsTypes) {
  std::vector<Oid> types;
  ASSERT_TRUE(
      for_each_parameter("\0\2\0\0\0\x14\0\0\x0b\x86"sv, [&](Oid type) { types.push_back(type); }));
  EXPECT_EQ(types, (std::vector<Oid>{oid::int8, oid::uuid}));
}

TEST(ParameterDescription, RefusesEveryPrefixAndAnythingMore) {
  constexpr std::string_view body = "\0\2\0\0\0\x14\0\0\x0b\x86"sv;
  const auto ignore = [](Oid) {};
  for (size_t size = 0; size < body.size(); ++size)
    EXPECT_FALSE(for_each_parameter(Exact(body.substr(0, size)).view(), ignore)) << size;
  EXPECT_FALSE(for_each_parameter("\0\1\0\0\0\x14\0"sv, ignore));
  EXPECT_FALSE(for_each_parameter("\xff\xff"sv, ignore));
}

TEST(TypeName, IsPostgresqlsOrTheNumber) {
  EXPECT_EQ(type_name(oid::timestamptz), "timestamptz");
  EXPECT_EQ(type_name(oid::boolean), "bool");
  EXPECT_EQ(type_name(600), "type 600");
}

}  // namespace
}  // namespace ringpost::proto::pg
