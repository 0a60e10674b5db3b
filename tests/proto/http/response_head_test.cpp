#include "proto/http/response_head.h"

#include <string>

#include <gtest/gtest.h>

namespace ringpost::proto::http {
namespace {

constexpr std::string_view date = "Sun, 06 Nov 1994 08:49:37 GMT";

std::string written(const ResponseHead& head) {
  wire::Buffer out;
  out.append("before");
  append(out, head);
  EXPECT_TRUE(out.view().starts_with("before"));
  return std::string(out.view().substr(6));
}

TEST(ResponseHead, WritesWhatAnApiAnswers) {
  EXPECT_EQ(written({.date = date, .content_type = "application/json", .content_length = 15}),
            "HTTP/1.1 200 OK\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/json\r\n"
            "Content-Length: 15\r\n"
            "\r\n");
}

TEST(ResponseHead, HasALengthThatIsFilledIn) {
  for (const unsigned bytes :
       {0U, 1U, 9U, 10U, 99U, 100U, 999U, 1'000U, 12'345U, 999'999U, 1'000'000U}) {
    const std::string body(bytes, 'b');
    for (const unsigned expected : {0U, 1U, 10U, 500U, 1'000U, 99'999U, 1'000'000U}) {
      ResponseHead head{.date = date, .content_length = expected, .fields = "Allow: GET, HEAD\r\n"};
      wire::Buffer out;
      out.append("before");
      const OpenLength length = append_open(out, head);
      out.append(body);
      const size_t body_at = fill_in(out, length);
      head.content_length = bytes;
      const std::string whole = "before" + written(head);
      ASSERT_EQ(out.view(), whole + body) << expected;
      ASSERT_EQ(body_at, whole.size());
    }
  }
}

TEST(ResponseHead, SaysWhatBecomesOfTheConnection) {
  EXPECT_EQ(written({.status = Status::bad_request,
                     .connection = ResponseHead::Connection::close,
                     .date = date,
                     .content_length = 0}),
            "HTTP/1.1 400 Bad Request\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Length: 0\r\n"
            "Connection: close\r\n"
            "\r\n");
  EXPECT_EQ(written({.connection = ResponseHead::Connection::keep_alive, .content_length = 1}),
            "HTTP/1.1 200 OK\r\n"
            "Content-Length: 1\r\n"
            "Connection: keep-alive\r\n"
            "\r\n");
}

TEST(ResponseHead, WritesFurtherFields) {
  EXPECT_EQ(written({.status = Status::method_not_allowed,
                     .content_type = "text/plain",
                     .content_length = UINT64_MAX,
                     .fields = "Allow: GET, HEAD\r\nRetry-After: 1\r\n"}),
            "HTTP/1.1 405 Method Not Allowed\r\n"
            "Content-Type: text/plain\r\n"
            "Content-Length: 18446744073709551615\r\n"
            "Allow: GET, HEAD\r\n"
            "Retry-After: 1\r\n"
            "\r\n");
}

// RFC 9110, 8.6
TEST(ResponseHead, HasNoLengthWhereThereIsNeverABody) {
  EXPECT_EQ(written({.status = Status::no_content, .content_length = 7}),
            "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(written({.status = Status::continue_, .content_length = 7}),
            "HTTP/1.1 100 Continue\r\n\r\n");
  wire::Buffer out;
  append_continue(out);
  EXPECT_EQ(out.view(), "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST(ResponseHead, KnowsEveryStatus) {
  constexpr std::pair<Status, std::string_view> lines[] = {
      {Status::ok, "200 OK"},
      {Status::bad_request, "400 Bad Request"},
      {Status::not_found, "404 Not Found"},
      {Status::method_not_allowed, "405 Method Not Allowed"},
      {Status::request_timeout, "408 Request Timeout"},
      {Status::content_too_large, "413 Content Too Large"},
      {Status::uri_too_long, "414 URI Too Long"},
      {Status::expectation_failed, "417 Expectation Failed"},
      {Status::request_header_fields_too_large, "431 Request Header Fields Too Large"},
      {Status::internal_server_error, "500 Internal Server Error"},
      {Status::not_implemented, "501 Not Implemented"},
      {Status::service_unavailable, "503 Service Unavailable"},
      {Status::http_version_not_supported, "505 HTTP Version Not Supported"},
  };
  for (const auto& [status, line] : lines)
    EXPECT_EQ(written({.status = status}),
              "HTTP/1.1 " + std::string(line) + "\r\nContent-Length: 0\r\n\r\n");
}

// However little room is left behind what is there.
TEST(ResponseHead, MakesItsRoom) {
  const std::string fields = "X: " + std::string(5000, 'x') + "\r\n";
  for (size_t used = 0; used < 600; ++used) {
    wire::Buffer out;
    out.append(std::string(used, 'b'));
    append(out, {.status = Status::request_header_fields_too_large,
                 .connection = ResponseHead::Connection::keep_alive,
                 .date = date,
                 .content_type = std::string_view(fields).substr(3, 300),
                 .content_length = UINT64_MAX,
                 .fields = used % 2 == 0 ? std::string_view(fields) : ""});
    EXPECT_TRUE(out.view().ends_with("\r\n\r\n"));
    EXPECT_LE(out.size(), out.capacity());
  }
}

}  // namespace
}  // namespace ringpost::proto::http
