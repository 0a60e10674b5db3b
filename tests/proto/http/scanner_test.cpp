#include "proto/http/scanner.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/guarded.h"
#include "tests/support/instructions.h"

namespace ringpost::proto::http {
namespace {

enum class Class { token, content, uri };

// Where a scanner stops that is asked once.
template <class Scanner>
RINGPOST_INLINE size_t stop(Class what, std::string_view head, size_t at) {
  if (what == Class::uri) return Scanner::uri_end(head.data(), at, head.size());
  Scanner scanner(head.data(), at, head.size());
  return what == Class::token ? scanner.token_end(at) : scanner.content_end(at);
}
using Stop = size_t (*)(Class what, std::string_view head, size_t at);

#if defined(__x86_64__)
[[gnu::flatten]] size_t stop_by_sse2(Class what, std::string_view head, size_t at) {
  return stop<WindowScanner<Sse2>>(what, head, at);
}
RINGPOST_AVX2 [[gnu::flatten]] size_t stop_by_avx2(Class what, std::string_view head, size_t at) {
  return stop<WindowScanner<Avx2>>(what, head, at);
}
#endif

std::vector<Stop> scanners_here() {
  std::vector<Stop> here{stop<PortableScanner>};
#if defined(__x86_64__)
  here.push_back(stop_by_sse2);
  if (best_instructions() == Instructions::avx2) here.push_back(stop_by_avx2);
#endif
  return here;
}

struct Case {
  Class what;
  bool (*is_of_class)(char);
  char filler;
};

const Case cases[] = {
    {Class::token, is_tchar, 'a'},
    {Class::content, is_field_content, '\t'},
    {Class::uri, is_uri, '/'},
};

// Each character at each place of heads around the sizes of vectors and windows.
TEST(Scanner, StopsAtTheFirstCharacterNotOfTheClass) {
  for (const Stop stop : scanners_here())
    for (const Case& scan : cases)
      for (const size_t size : {1uz, 2uz, 15uz, 16uz, 17uz, 31uz, 32uz, 33uz, 47uz, 48uz, 63uz,
                                64uz, 65uz, 80uz, 130uz})
        for (size_t place = 0; place < size; ++place)
          for (int c = 0; c < 256; ++c) {
            std::string text(size, scan.filler);
            text[place] = static_cast<char>(c);
            const tests::Guarded head(text);
            ASSERT_EQ(stop(scan.what, head.view(), 0), scan.is_of_class(text[place]) ? size : place)
                << "class " << static_cast<int>(scan.what) << ": character " << c << " at " << place
                << " of " << size;
          }
}

// What lies before the place to start at may be anything.
TEST(Scanner, LooksAtNothingBeforeItsStart) {
  for (const Stop stop : scanners_here())
    for (const Case& scan : cases)
      for (size_t from = 0; from <= 140; ++from) {
        const std::string text = std::string(from, '\n') + std::string(140 - from, scan.filler);
        const tests::Guarded head(text);
        EXPECT_EQ(stop(scan.what, head.view(), from), 140U) << "from " << from;
      }
}

// The classes, written out.
TEST(Characters, AreThoseOfTheSpecifications) {
  std::string tchars, uris;
  size_t field_contents = 0;
  for (int c = 0; c < 256; ++c) {
    if (is_tchar(static_cast<char>(c))) tchars += static_cast<char>(c);
    if (is_uri(static_cast<char>(c))) uris += static_cast<char>(c);
    field_contents += is_field_content(static_cast<char>(c));
  }
  EXPECT_EQ(tchars,
            "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~");
  EXPECT_EQ(uris,
            "!\"$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
            "abcdefghijklmnopqrstuvwxyz{|}~");
  EXPECT_EQ(field_contents, 256U - 33U + 1U) << "all but the controls and DEL, and HTAB";
  EXPECT_TRUE(is_field_content('\t'));
  EXPECT_TRUE(is_field_content('\x80'));
  EXPECT_FALSE(is_field_content('\x7f'));
  EXPECT_FALSE(is_field_content('\0'));
}

}  // namespace
}  // namespace ringpost::proto::http
