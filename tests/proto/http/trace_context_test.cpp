#include "proto/http/trace_context.h"

#include <string>

#include <gtest/gtest.h>

namespace ringpost::proto::http {
namespace {

TEST(Traceparent, HasATraceAndAParent) {
  const auto context = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(context->parent_id, "b7ad6b7169203331");
  EXPECT_TRUE(context->sampled);
  EXPECT_FALSE(
      parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")->sampled);
  EXPECT_FALSE(
      parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe")->sampled);
}

TEST(Traceparent, OfLaterVersionsHasWhatTheFirstHas) {
  for (const char* later :
       {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes-later"}) {
    const auto context = parse_traceparent(later);
    ASSERT_TRUE(context.has_value()) << later;
    EXPECT_EQ(context->trace_id, "0af7651916cd43dd8448eb211c80319c");
  }
}

TEST(Traceparent, IsNothingWhenMalformed) {
  for (const char* malformed : {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
                                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
                                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
                                "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
                                "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                                "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
                                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0A",
                                "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
                                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
                                "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01"})
    EXPECT_FALSE(parse_traceparent(malformed).has_value()) << malformed;
}

}  // namespace
}  // namespace ringpost::proto::http
