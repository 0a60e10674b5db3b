#include "src/service/access_lines.h"

#include <gtest/gtest.h>

namespace ringpost::service {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view time = "2026-01-31T08:00:00.123Z";

http::Access access() {
  return {.method = "GET",
          .path = "/users/1",
          .peer = "192.0.2.1",
          .request_id = "abc-1",
          .trace_id = "0af7651916cd43dd8448eb211c80319c",
          .status = proto::http::Status::ok,
          .bytes = 187,
          .took = 412us};
}

std::string line(ops::LogFormat format, const http::Access& of) {
  std::string out;
  append_access(out, format, time, of, of.request_id);
  return out;
}

TEST(AccessLines, Logfmt) {
  EXPECT_EQ(line(ops::LogFormat::logfmt, access()),
            "2026-01-31T08:00:00.123Z level=info event=request method=GET path=/users/1 status=200 "
            "duration_ms=0.412 bytes=187 peer=192.0.2.1 request_id=abc-1 "
            "trace_id=0af7651916cd43dd8448eb211c80319c\n");
}

TEST(AccessLines, Json) {
  EXPECT_EQ(line(ops::LogFormat::json, access()),
            R"({"time":"2026-01-31T08:00:00.123Z","level":"info","event":"request","method":"GET",)"
            R"("path":"/users/1","status":200,"duration_ms":0.412,"bytes":187,"peer":"192.0.2.1",)"
            R"("request_id":"abc-1","trace_id":"0af7651916cd43dd8448eb211c80319c"})"
            "\n");
}

TEST(AccessLines, AFailureIsAnError) {
  http::Access failed = access();
  failed.status = proto::http::Status::service_unavailable;
  failed.trace_id = {};
  EXPECT_EQ(
      line(ops::LogFormat::logfmt, failed),
      "2026-01-31T08:00:00.123Z level=error event=request method=GET path=/users/1 status=503 "
      "duration_ms=0.412 bytes=187 peer=192.0.2.1 request_id=abc-1\n");
}

TEST(AccessLines, APathStaysWithinItsField) {
  http::Access odd = access();
  odd.path = "/a\"b c\\";
  EXPECT_NE(line(ops::LogFormat::logfmt, odd).find(R"( path="/a\"b c\\" status)"),
            std::string::npos);
  EXPECT_NE(line(ops::LogFormat::json, odd).find(R"("path":"/a\"b c\\","status")"),
            std::string::npos);
}

}  // namespace
}  // namespace ringpost::service
