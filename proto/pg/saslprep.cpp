#include "proto/pg/saslprep.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "proto/pg/saslprep_tables.h"

namespace ringpost::proto::pg {

namespace {

using namespace detail;

// UTF-8 to code points; nothing when it is malformed (RFC 3629: no overlong forms, no surrogates).
std::optional<std::u32string> decode_utf8(std::string_view text) {
  std::u32string points;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t length = lead < 0x80       ? 1
                          : lead >> 5 == 6  ? 2
                          : lead >> 4 == 14 ? 3
                          : lead >> 3 == 30 ? 4
                                            : 0;
    if (length == 0 || text.size() - i < length) return std::nullopt;
    char32_t point = length == 1 ? lead : lead & (0x7fU >> length);
    for (size_t j = 1; j < length; ++j) {
      const auto next = static_cast<uint8_t>(text[i + j]);
      if (next >> 6 != 2) return std::nullopt;
      point = point << 6 | (next & 63);
    }
    constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
      return std::nullopt;
    points += point;
    i += length;
  }
  return points;
}

std::string encode_utf8(std::u32string_view points) {
  std::string text;
  for (const char32_t point : points) {
    const auto put = [&text](char32_t byte) { text += static_cast<char>(byte); };
    if (point < 0x80) {
      put(point);
    } else if (point < 0x800) {
      put(0xc0 | point >> 6);
      put(0x80 | (point & 63));
    } else {
      if (point < 0x10000) {
        put(0xe0 | point >> 12);
      } else {
        put(0xf0 | point >> 18);
        put(0x80 | (point >> 12 & 63));
      }
      put(0x80 | (point >> 6 & 63));
      put(0x80 | (point & 63));
    }
  }
  return text;
}

bool in(std::span<const CodePointRange> table, char32_t point) {
  const auto after = std::upper_bound(
      table.begin(), table.end(), point,
      [](char32_t value, const CodePointRange& range) { return value < range.first; });
  return after != table.begin() && point <= std::prev(after)->last;
}

uint8_t combining_class(char32_t point) {
  const auto found = std::lower_bound(
      combining_classes.begin(), combining_classes.end(), point,
      [](const CombiningClass& entry, char32_t value) { return entry.code_point < value; });
  return found != combining_classes.end() && found->code_point == point ? found->value : 0;
}

// Hangul syllables are composed by arithmetic (Unicode, 3.12).
constexpr char32_t syllables = 0xac00, leads = 0x1100, vowels = 0x1161, tails = 0x11a7;
constexpr char32_t lead_count = 19, vowel_count = 21, tail_count = 28,
                   syllable_count = lead_count * vowel_count * tail_count;

void decompose(char32_t point, std::u32string& out) {
  if (point >= syllables && point < syllables + syllable_count) {
    const char32_t index = point - syllables;
    out += leads + index / (vowel_count * tail_count);
    out += vowels + index / tail_count % vowel_count;
    if (index % tail_count != 0) out += tails + index % tail_count;
    return;
  }
  const auto found = std::lower_bound(
      decompositions.begin(), decompositions.end(), point,
      [](const Decomposition& entry, char32_t value) { return entry.code_point < value; });
  if (found == decompositions.end() || found->code_point != point) {
    out += point;
    return;
  }
  for (const char32_t part : decomposed.subspan(found->begin, found->length)) out += part;
}

std::optional<char32_t> compose(char32_t first, char32_t second) {
  if (first >= leads && first < leads + lead_count && second >= vowels &&
      second < vowels + vowel_count)
    return syllables + ((first - leads) * vowel_count + (second - vowels)) * tail_count;
  if (first >= syllables && first < syllables + syllable_count &&
      (first - syllables) % tail_count == 0 && second > tails && second < tails + tail_count)
    return first + (second - tails);
  const auto found =
      std::lower_bound(compositions.begin(), compositions.end(), std::pair(first, second),
                       [](const Composition& entry, const std::pair<char32_t, char32_t>& value) {
                         return std::pair(entry.first, entry.second) < value;
                       });
  if (found == compositions.end() || found->first != first || found->second != second)
    return std::nullopt;
  return found->composed;
}

// Canonical order (Unicode, 3.11): runs of marks stand by their class, those of one class as they
// came. Class, place and code point make one number, so that an ordinary sort does it.
void order_marks(std::u32string& points) {
  std::vector<uint64_t> run;
  for (size_t at = 0; at <= points.size(); ++at) {
    const uint8_t value = at < points.size() ? combining_class(points[at]) : 0;
    if (value != 0) {
      run.push_back(uint64_t{value} << 53 | uint64_t{run.size()} << 21 | points[at]);
      continue;
    }
    std::sort(run.begin(), run.end());
    for (size_t i = 0; i < run.size(); ++i)
      points[at - run.size() + i] = static_cast<char32_t>(run[i] & 0x1fffff);
    run.clear();
  }
}

// Normalization Form KC (Unicode Standard Annex 15).
std::u32string normalize_nfkc(const std::u32string& text) {
  std::u32string points;
  for (const char32_t point : text) decompose(point, points);
  order_marks(points);
  std::u32string composed;
  size_t starter = std::u32string::npos;
  uint8_t last_class = 0;
  for (const char32_t point : points) {
    const uint8_t own_class = combining_class(point);
    const bool adjacent = starter != std::u32string::npos && composed.size() == starter + 1;
    if (starter != std::u32string::npos &&
        (adjacent || (last_class != 0 && last_class < own_class))) {
      if (const auto joined = compose(composed[starter], point)) {
        composed[starter] = *joined;
        continue;
      }
    }
    if (own_class == 0) starter = composed.size();
    last_class = own_class;
    composed += point;
  }
  return composed;
}

// RFC 3454, 6: text with right-to-left characters has no left-to-right ones, and begins and ends
// with right-to-left.
bool is_bidi_well_formed(const std::u32string& text) {
  const auto has = [&text](std::span<const CodePointRange> table) {
    return std::any_of(text.begin(), text.end(),
                       [table](char32_t point) { return in(table, point); });
  };
  if (!has(right_to_left)) return true;
  return !has(left_to_right) && in(right_to_left, text.front()) && in(right_to_left, text.back());
}

}  // namespace

std::string saslprep(std::string_view password) {
  std::string as_it_is(password);
  if (std::all_of(password.begin(), password.end(), [](char c) { return c >= 0x20 && c < 0x7f; }))
    return as_it_is;
  const auto points = decode_utf8(password);
  if (!points) return as_it_is;
  std::u32string mapped;
  for (const char32_t point : *points) {
    if (in(mapped_to_space, point))
      mapped += U' ';
    else if (!in(mapped_to_nothing, point))
      mapped += point;
  }
  // RFC 4013 judges what normalisation brings; PostgreSQL, on both sides, what it is given.
  if (mapped.empty() ||
      std::any_of(mapped.begin(), mapped.end(),
                  [](char32_t point) { return in(prohibited, point); }) ||
      !is_bidi_well_formed(mapped))
    return as_it_is;
  return encode_utf8(normalize_nfkc(mapped));
}

}  // namespace ringpost::proto::pg
