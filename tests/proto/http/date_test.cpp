#include "proto/http/date.h"

#include <ctime>
#include <string>

#include <gtest/gtest.h>

namespace ringpost::proto::http {
namespace {

std::string date(int64_t unix_seconds) {
  std::string text(date_length, '?');
  write_date(text.data(), unix_seconds);
  return text;
}

TEST(Date, IsWrittenAsImfFixdate) {
  EXPECT_EQ(date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110, 5.6.7
  EXPECT_EQ(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(date(951782399), "Mon, 28 Feb 2000 23:59:59 GMT");
  EXPECT_EQ(date(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(date(1798761599), "Thu, 31 Dec 2026 23:59:59 GMT");
  EXPECT_EQ(date(4107542400), "Mon, 01 Mar 2100 00:00:00 GMT") << "2100 is no leap year";
  EXPECT_EQ(date(253402300799), "Fri, 31 Dec 9999 23:59:59 GMT");
}

// Against the C library, every 41 hours or so over a century.
TEST(Date, AgreesWithTheCLibrary) {
  for (int64_t seconds = 0; seconds < 3'155'760'000; seconds += 147'457) {
    const std::time_t time = seconds;
    std::tm parts{};
    gmtime_r(&time, &parts);
    char expected[30];
    std::strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    ASSERT_EQ(date(seconds), expected);
  }
}

}  // namespace
}  // namespace ringpost::proto::http
