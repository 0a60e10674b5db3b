#include "proto/pg/frontend.h"

#include <array>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "proto/pg/backend.h"

using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

using wire::Buffer;

TEST(Encode, StartupMessage) {
  Buffer out;
  const std::pair<std::string_view, std::string_view> parameters[] = {{"user", "alice"},
                                                                      {"database", "shop"}};
  encode_startup(out, 3 << 16, parameters);
  EXPECT_EQ(out.view(), "\0\0\0\x22\0\3\0\0user\0alice\0database\0shop\0\0"sv);
  out.clear();
  encode_startup(out, 0x3'0002, {});
  EXPECT_EQ(out.view(), "\0\0\0\x09\0\3\0\2\0"sv);
}

TEST(Encode, SaslInitialResponse) {
  Buffer out;
  encode_sasl_initial_response(out, "SCRAM-SHA-256", "n,,n=,r=abc");
  EXPECT_EQ(out.view(), "p\0\0\0\x21SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abc"sv);
}

TEST(Encode, SaslResponse) {
  Buffer out;
  encode_sasl_response(out, "c=biws,r=abc,p=xyz=");
  EXPECT_EQ(out.view(),
            "p\0\0\0\x17"
            "c=biws,r=abc,p=xyz="sv);
}

TEST(Encode, PasswordMessage) {
  Buffer out;
  encode_password(out, "secret");
  EXPECT_EQ(out.view(), "p\0\0\0\x0bsecret\0"sv);
}

TEST(Encode, Parse) {
  Buffer out;
  encode_parse(out, "find", "select $1", std::array{oid::uuid, oid::int8});
  EXPECT_EQ(out.view(),
            "P\0\0\0\x1d"
            "find\0select $1\0\0\2\0\0\x0b\x86\0\0\0\x14"sv);
}

TEST(Encode, DescribeAndCloseOfAStatement) {
  Buffer out;
  encode_describe_statement(out, "find");
  encode_close_statement(out, "find");
  EXPECT_EQ(out.view(), "D\0\0\0\nSfind\0C\0\0\0\nSfind\0"sv);
}

TEST(Encode, Terminate) {
  Buffer out;
  encode_terminate(out);
  EXPECT_EQ(out.view(), "X\0\0\0\4"sv);
}

TEST(Encode, CancelRequest) {
  Buffer out;
  encode_cancel_request(out, {.process_id = 4711, .secret_key = "\xca\xfe\xba\xbe"});
  EXPECT_EQ(out.view(), "\0\0\0\x10\x04\xd2\x16\x2e\0\0\x12\x67\xca\xfe\xba\xbe"sv);
  out.clear();
  encode_cancel_request(out, {.process_id = 1, .secret_key = "a key of protocol 3.2"});
  EXPECT_EQ(out.view(), "\0\0\0\x21\x04\xd2\x16\x2e\0\0\0\1a key of protocol 3.2"sv);
}

TEST(Encode, AStringEndsAtItsFirstZero) {
  Buffer out;
  encode_password(out, "sec\0ret"sv);
  EXPECT_EQ(out.view(), "p\0\0\0\x08sec\0"sv) << "else the rest would be read as another field";
}

TEST(BindEncoder, WritesBindAndExecute) {
  Buffer out;
  BindEncoder bind(out, "find", 3, 6);
  std::memcpy(bind.value(4), "\0\0\0\7", 4);
  bind.null();
  std::memcpy(bind.value(2), "hi", 2);
  bind.finish();
  EXPECT_EQ(out.view(),
            "B\0\0\0\x26\0find\0\0\1\0\1\0\3\0\0\0\4\0\0\0\7\xff\xff\xff\xff\0\0\0\2hi\0\1\0\1"
            "E\0\0\0\x09\0\0\0\0\0"sv);
}

TEST(BindEncoder, WritesNoParameters) {
  Buffer out;
  BindEncoder(out, "", 0, 0).finish();
  EXPECT_EQ(out.view(), "B\0\0\0\x10\0\0\0\1\0\1\0\0\0\1\0\1E\0\0\0\x09\0\0\0\0\0"sv);
}

TEST(BindEncoder, AppendsBehindWhatIsThere) {
  Buffer out;
  for (int i = 0; i < 200; ++i) BindEncoder(out, "ping", 0, 0).finish();
  ASSERT_EQ(out.size(), 200U * 31);
  EXPECT_EQ(out.view().substr(199 * 31),
            "B\0\0\0\x14\0ping\0\0\1\0\1\0\0\0\1\0\1E\0\0\0\x09\0\0\0\0\0"sv);
}

}  // namespace
}  // namespace ringpost::proto::pg
