#include "proto/pg/timestamptz.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace ringpost::proto::pg {

namespace {

constexpr int64_t second = 1'000'000, day = 86'400 * second;

// "00" to "99", the first digit in the lower byte.
constexpr auto pairs = [] {
  std::array<uint16_t, 100> table{};
  for (unsigned i = 0; i < 100; ++i)
    table[i] = static_cast<uint16_t>(('0' + i / 10) | ('0' + i % 10) << 8);
  return table;
}();

// Writes the lowest byte first.
template <class T>
void store(char* at, T characters) {
  if constexpr (std::endian::native == std::endian::big) characters = std::byteswap(characters);
  std::memcpy(at, &characters, sizeof characters);
}

struct Date {
  uint32_t century, year_of_century, month, day;
};

// Days since 0000-03-01 to a date, where years begin in March, so that the leap day comes last.
// Divisions become multiplications that are exact in this range, and the rest of one is the input
// of the next: C. Neri and L. Schneider, "Euclidean affine functions and their application to
// calendar algorithms", 2022. Good to 2^30 days.
Date date_of(uint32_t days) {
  const uint32_t quarters = 4 * days + 3;
  const uint32_t century = quarters / 146'097;
  const uint32_t quarters_of_century = quarters % 146'097 | 3;
  const uint64_t year_product = uint64_t{2'939'745} * quarters_of_century;
  const auto year_of_century = static_cast<uint32_t>(year_product >> 32);
  const auto day_of_year = static_cast<uint32_t>(year_product) / 2'939'745 / 4;
  const uint32_t month_product = 2141 * day_of_year + 197'913;  // March is month 3
  const uint32_t month = month_product >> 16, day_of_month = (month_product & 0xffff) / 2141 + 1;
  if (day_of_year < 306) return {century, year_of_century, month, day_of_month};
  if (year_of_century < 99) return {century, year_of_century + 1, month - 12, day_of_month};
  return {century + 1, 0, month - 12, day_of_month};
}

// A number's next part in fixed point, below the point: times `base`, what comes above it.
template <int Point>
uint32_t next_part(uint64_t& rest, uint64_t base) {
  rest = (rest & ((uint64_t{1} << Point) - 1)) * base;
  return static_cast<uint32_t>(rest >> Point);
}

// From "-MM-DD" on.
char* write_behind_year(char* at, const Date& date, uint64_t microseconds_of_day) {
  const auto seconds = static_cast<uint32_t>(microseconds_of_day / second);
  const auto fraction = static_cast<uint32_t>(microseconds_of_day % second);
  // Seconds as hours, and microseconds as hundredths, with the parts below the point: both factors
  // are rounded up by so little that no part is ever one too many.
  uint64_t of_day = seconds * ((uint64_t{1} << 32) / 3600 + 1);
  const auto hours = static_cast<uint32_t>(of_day >> 32);
  const uint32_t minutes = next_part<32>(of_day, 60), of_minute = next_part<32>(of_day, 60);
  store(at, uint32_t{'-'} | uint32_t{pairs[date.month]} << 8 | uint32_t{'-'} << 24);
  store(at + 4, uint64_t{pairs[date.day]} | uint64_t{'T'} << 16 | uint64_t{pairs[hours]} << 24 |
                    uint64_t{':'} << 40 | uint64_t{pairs[minutes]} << 48);
  const uint32_t end_of_time = uint32_t{':'} | uint32_t{pairs[of_minute]} << 8;
  if (fraction == 0) {
    store(at + 12, end_of_time | uint32_t{'Z'} << 24);
    return at + 16;
  }
  uint64_t of_second = fraction * ((uint64_t{1} << 48) / 10'000 + 1);
  const auto first = static_cast<uint32_t>(of_second >> 48);
  const uint32_t middle = next_part<48>(of_second, 100), last = next_part<48>(of_second, 100);
  store(at + 12, uint64_t{end_of_time} | uint64_t{'.'} << 24 | uint64_t{pairs[first]} << 32 |
                     uint64_t{pairs[middle]} << 48);
  store(at + 20, uint32_t{pairs[last]} | uint32_t{'Z'} << 16);
  return at + 23;
}

// 400 years, after which the calendar repeats; enough of them to make every year positive.
constexpr uint32_t cycle_days = 146'097, cycles_before = 750;
constexpr int64_t days_before_2000 = 730'425;  // since 0000-03-01

char* write_year(char* at, int32_t year) {
  const auto magnitude = static_cast<uint32_t>(year < 0 ? -year : year);
  if (year < 0 || year > 9999) {
    *at = year < 0 ? '-' : '+';
    store(at + 1, pairs[magnitude / 10'000]);
    at += 3;
  }
  store(at, uint32_t{pairs[magnitude / 100 % 100]} | uint32_t{pairs[magnitude % 100]} << 16);
  return at + 4;
}

char* write_far(char* at, int64_t microseconds) {
  int64_t days = microseconds / day, rest = microseconds % day;
  if (rest < 0) {
    rest += day;
    --days;
  }
  const Date date =
      date_of(static_cast<uint32_t>(days + days_before_2000 + int64_t{cycles_before} * cycle_days));
  const uint32_t year_since_cycles = 100 * date.century + date.year_of_century;
  at = write_year(
      at, static_cast<int32_t>(year_since_cycles) - static_cast<int32_t>(cycles_before * 400));
  return write_behind_year(at, date, static_cast<uint64_t>(rest));
}

template <size_t N>
char* write_word(char* at, const char (&word)[N]) {
  std::memcpy(at, word, N - 1);
  return at + N - 1;
}

}  // namespace

char* write_rfc3339(char* at, Timestamptz time) {
  // From 0000-03-01 on, where days count from: the two months before it are rare enough.
  constexpr int64_t before_2000 = days_before_2000 * day;
  constexpr uint64_t until_10000 = uint64_t{10'000 / 400 * cycle_days - 60} * uint64_t{day};
  const uint64_t since_year_0 =
      static_cast<uint64_t>(time.microseconds) + static_cast<uint64_t>(before_2000);
  if (since_year_0 < until_10000) [[likely]] {
    const Date date = date_of(static_cast<uint32_t>(since_year_0 / day));
    store(at, uint32_t{pairs[date.century]} | uint32_t{pairs[date.year_of_century]} << 16);
    return write_behind_year(at + 4, date, since_year_0 % day);
  }
  if (time == infinity) return write_word(at, "infinity");
  if (time == minus_infinity) return write_word(at, "-infinity");
  return write_far(at, time.microseconds);
}

}  // namespace ringpost::proto::pg
