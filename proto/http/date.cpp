#include "proto/http/date.h"

#include <chrono>
#include <cstring>

namespace ringpost::proto::http {

void write_date(char* at, int64_t unix_seconds) {
  static constexpr char days[] = "SunMonTueWedThuFriSat",
                        months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  using namespace std::chrono;
  const sys_seconds time{seconds(unix_seconds)};
  const auto day = floor<std::chrono::days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  const auto two = [](char* to, int64_t value) {
    to[0] = static_cast<char>('0' + value / 10);
    to[1] = static_cast<char>('0' + value % 10);
  };
  std::memcpy(at, "Sun, 06 Nov 1994 08:49:37 GMT", date_length);
  std::memcpy(at, days + 3 * weekday(day).c_encoding(), 3);
  two(at + 5, static_cast<unsigned>(date.day()));
  std::memcpy(at + 8, months + 3 * (static_cast<unsigned>(date.month()) - 1), 3);
  two(at + 12, static_cast<int>(date.year()) / 100);
  two(at + 14, static_cast<int>(date.year()) % 100);
  two(at + 17, clock.hours().count());
  two(at + 20, clock.minutes().count());
  two(at + 23, clock.seconds().count());
}

}  // namespace ringpost::proto::http
