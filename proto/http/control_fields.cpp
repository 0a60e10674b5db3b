#include "proto/http/control_fields.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "proto/http/authority.h"
#include "proto/http/scanner.h"

namespace ringpost::proto::http {

namespace {

constexpr Refusal host_missing{Status::bad_request, "Host is missing"};
constexpr Refusal host_repeated{Status::bad_request, "there is more than one Host"};
constexpr Refusal host_empty{Status::bad_request, "Host is empty"};
constexpr Refusal host_malformed{Status::bad_request, "Host is malformed"};
constexpr Refusal length_malformed{Status::bad_request, "Content-Length is no number"};
constexpr Refusal length_overflows{Status::bad_request, "Content-Length is too large"};
constexpr Refusal length_repeated{Status::bad_request, "there is more than one Content-Length"};
constexpr Refusal coding_malformed{Status::bad_request, "Transfer-Encoding is malformed"};
constexpr Refusal coding_in_1_0{Status::bad_request, "HTTP/1.0 has no Transfer-Encoding"};
constexpr Refusal chunked_twice{Status::bad_request, "chunked is applied twice"};
constexpr Refusal chunked_not_last{Status::bad_request, "chunked is not the last transfer coding"};
constexpr Refusal two_framings{Status::bad_request,
                               "Content-Length and Transfer-Encoding exclude each other"};
constexpr Refusal coding_unknown{Status::not_implemented,
                                 "chunked is the only transfer coding this server knows"};
constexpr Refusal expectation_unknown{Status::expectation_failed,
                                      "100-continue is the only expectation this server knows"};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes the first element off a comma-separated list. It may be empty (RFC 9110, 5.6.1.2).
std::string_view take_element(std::string_view& list) {
  const size_t comma = std::min(list.find(','), list.size());
  const std::string_view element = trim(list.substr(0, comma));
  list.remove_prefix(std::min(comma + 1, list.size()));
  return element;
}

#if defined(__x86_64__)
using Sixteen = std::array<char, 16>;

constexpr Sixteen all(int c) {
  Sixteen sixteen{};
  sixteen.fill(static_cast<char>(c));
  return sixteen;
}

// Bytes are compared as signed: so with the range moved to where these begin.
struct alignas(16) Range {
  constexpr Range(char first, char last) : move(all(0x80 - first)), end(all(0x81 + last - first)) {}
  __m128i operator()(__m128i v) const {
    return _mm_cmplt_epi8(_mm_add_epi8(v, Sse2::load(move.data())), Sse2::load(end.data()));
  }
  Sixteen move, end;
};
struct alignas(16) Ranges {
  Range digits{'0', '9'}, small_letters{'a', 'z'}, hyphen_and_dot{'-', '.'};
  Sixteen to_small = all(0x20);
};
constexpr Ranges host_ranges;

// Bits of 16 characters.
struct HostCharacters {
  explicit HostCharacters(const char* at) {
    // Where GCC sees such constants it makes each by three instructions: 1.5 ns of a head's 18.
    const Ranges* ranges = &host_ranges;
    asm("" : "+r"(ranges));
    const __m128i v = Sse2::load(at);
    const __m128i small = _mm_or_si128(v, Sse2::load(ranges->to_small.data()));
    const __m128i digit = ranges->digits(v);
    const __m128i usual =
        _mm_or_si128(_mm_or_si128(digit, ranges->small_letters(small)), ranges->hyphen_and_dot(v));
    no_digits = Sse2::bits(digit) ^ 0xffff;
    unusual = Sse2::bits(usual) ^ 0xffff;
  }
  uint32_t no_digits, unusual;
};

// Whether it is of letters, digits, hyphens and dots, with or without a port, as almost all are. It
// looks at the 16 or 32 bytes that end with it: what is before a Host's value is a request line at
// least.
bool is_usual_host(std::string_view value) {
  const size_t size = value.size();
  if (size - 1 >= 32) return false;
  const char* const last = value.data() + size - 16;
  if (size > 16 && HostCharacters(last - 16).unusual >> (32 - size) != 0) return false;
  const size_t before = size < 16 ? 16 - size : 0;  // bytes there that are not of it
  const HostCharacters characters(last);
  const uint32_t unusual = characters.unusual >> before;
  if (unusual == 0) return true;
  const size_t colon = before + static_cast<size_t>(std::countr_zero(unusual));
  // The colon itself is no digit.
  return last[colon] == ':' && last + colon != value.data() && characters.no_digits >> colon == 1;
}
#else
bool is_usual_host(std::string_view) {
  return false;
}
#endif

// Whether a token of this size is `control`, letters and hyphens, in whichever case: a word at a
// time, the last of which may overlap. The bit that makes letters small makes no other tchar one of
// these.
template <size_t n>
bool is_name(const char (&control)[n], std::string_view name) {
  constexpr size_t size = n - 1;
  using Word = std::conditional_t<size >= 8, uint64_t, uint32_t>;
  const auto word_at = [](const char* at) {
    Word word;
    std::memcpy(&word, at, sizeof word);
    return word;
  };
  constexpr auto small = static_cast<Word>(0x2020202020202020);
  for (size_t at = 0;; at = std::min(at + sizeof(Word), size - sizeof(Word))) {
    if ((word_at(name.data() + at) | small) != word_at(control + at)) return false;
    if (at == size - sizeof(Word)) return true;
  }
}

}  // namespace

const Refusal* ControlFields::take(const char* head, const HeaderSpans& field) {
  const auto [name, value] = field.in(head);
  if (name.size() == 4) {
    if (!is_name("host", name)) return nullptr;
    if (is(has_host)) return &host_repeated;
    note(has_host);
    host_ = {static_cast<uint32_t>(value.data() - head), static_cast<uint32_t>(value.size())};
    // Empty is for URIs without an authority (RFC 9110, 7.2). What is asked of this server is an
    // http URI, whose host is not empty (4.2.1).
    if (is_usual_host(value) || is_authority(value)) return nullptr;
    return value.empty() ? &host_empty : &host_malformed;
  }
  switch (name.size()) {
    case 6:
      if (is_name("expect", name)) expect(value);
      return nullptr;
    case 10:
      if (is_name("connection", name)) connection(value);
      return nullptr;
    case 14:
      return is_name("content-length", name) ? content_length(value) : nullptr;
    case 17:
      return is_name("transfer-encoding", name) ? transfer_encoding(value) : nullptr;
    default:
      return nullptr;
  }
}

// One number (RFC 9110, 8.6). A list of equal ones, or a field repeated, may be taken for one (RFC
// 9112, 6.3) or refused; nobody who means well sends it.
const Refusal* ControlFields::content_length(std::string_view value) {
  if (is(has_content_length)) return &length_repeated;
  note(has_content_length);
  if (value.empty()) return &length_malformed;
  for (const char c : value) {
    if (!is_digit(c)) return &length_malformed;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (content_length_ > (UINT64_MAX - digit) / 10) return &length_overflows;
    content_length_ = content_length_ * 10 + digit;
  }
  return nullptr;
}

// Codings in the order in which they were applied (RFC 9112, 6.1). An empty element could be
// ignored, but not everybody does, and what two servers read differently can be smuggled.
const Refusal* ControlFields::transfer_encoding(std::string_view value) {
  note(has_transfer_encoding);
  for (bool more = true; more;) {
    more = value.contains(',');
    const std::string_view coding = take_element(value);
    if (coding.empty() || !std::all_of(coding.begin(), coding.end(), is_tchar))
      return &coding_malformed;
    if (!equals_ignoring_case(coding, "chunked")) {
      if (is(is_chunked)) return &chunked_not_last;
      note(has_other_coding);
    } else {
      if (is(is_chunked)) return &chunked_twice;
      note(is_chunked);
    }
  }
  return nullptr;
}

void ControlFields::connection(std::string_view value) {
  while (!value.empty()) {
    const std::string_view option = take_element(value);
    if (equals_ignoring_case(option, "close")) note(closes);
    if (equals_ignoring_case(option, "keep-alive")) note(keeps_alive);
  }
}

void ControlFields::expect(std::string_view value) {
  while (!value.empty()) {
    const std::string_view expectation = take_element(value);
    if (equals_ignoring_case(expectation, "100-continue"))
      note(expects_continue);
    else if (!expectation.empty())
      note(expects_other);
  }
}

const Refusal* ControlFields::decide(const char* head, Request& request) const {
  const bool http_1_0 = request.minor_version == 0;
  request.host = host_.in(head);
  request.content_length = content_length_;
  request.framing = content_length_ != 0 ? Framing::length : Framing::none;
  request.keep_alive = true;
  request.expect_continue = false;
  if (facts_ == has_host && !http_1_0) return nullptr;  // as of almost all

  if (!is(has_host) && !http_1_0) return &host_missing;
  if (is(has_transfer_encoding)) {  // RFC 9112, 6.1 and 6.3
    if (is(has_content_length)) return &two_framings;
    if (http_1_0) return &coding_in_1_0;
    // Without chunked as the last there is no telling where the body ends, whatever the others are.
    if (!is(is_chunked)) return &chunked_not_last;
    if (is(has_other_coding)) return &coding_unknown;
    request.framing = Framing::chunked;
  }
  if (!http_1_0) {  // HTTP/1.0 has no expectations (RFC 9110, 10.1.1)
    if (is(expects_other)) return &expectation_unknown;
    request.expect_continue = is(expects_continue);
  }
  request.keep_alive = !is(closes) && (!http_1_0 || is(keeps_alive));
  return nullptr;
}

}  // namespace ringpost::proto::http
