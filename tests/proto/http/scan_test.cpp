#include "proto/http/scan.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/guarded.h"

namespace ringpost::proto::http {
namespace {

using Scan = const char* (*)(const char*, const char*, const char*);

struct Case {
  const char* name;
  Scan scan, portable;
  bool (*of_class)(char);
  char filler;
};

const Case cases[] = {
    {"token", scanning::scan_token, portable::scan_token, is_tchar, 'a'},
    {"field content", scanning::scan_field_content, portable::scan_field_content, is_field_content,
     '\t'},
    {"uri", scanning::scan_uri, portable::scan_uri, is_uri, '/'},
};

size_t stop(Scan scan, std::string_view text, size_t from) {
  return static_cast<size_t>(scan(text.data(), text.data() + from, text.data() + text.size()) -
                             text.data());
}

// Each character at each place of inputs around the width of a vector: what is looked at sixteen at
// a time, one by one, and within the last sixteen.
TEST(Scan, StopsAtTheFirstCharacterNotOfTheClass) {
  for (const Case& scan : cases) {
    for (const size_t size : {1uz, 2uz, 15uz, 16uz, 17uz, 31uz, 32uz, 33uz, 40uz}) {
      for (size_t place = 0; place < size; ++place) {
        for (int c = 0; c < 256; ++c) {
          std::string text(size, scan.filler);
          text[place] = static_cast<char>(c);
          const tests::Guarded input(text);
          const size_t expected = scan.of_class(text[place]) ? size : place;
          ASSERT_EQ(stop(scan.scan, input.view(), 0), expected)
              << scan.name << ": character " << c << " at " << place << " of " << size;
          ASSERT_EQ(stop(scan.portable, input.view(), 0), expected)
              << scan.name << ": character " << c << " at " << place << " of " << size;
        }
      }
    }
  }
}

// What lies before the place to start at may be anything.
TEST(Scan, LooksAtNothingBeforeItsStart) {
  for (const Case& scan : cases) {
    for (size_t from = 0; from <= 40; ++from) {
      const std::string text = std::string(from, '\n') + std::string(40 - from, scan.filler);
      const tests::Guarded input(text);
      EXPECT_EQ(stop(scan.scan, input.view(), from), 40U) << scan.name << " from " << from;
    }
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
