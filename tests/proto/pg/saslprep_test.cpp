#include "proto/pg/saslprep.h"

#include <gtest/gtest.h>

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

struct Case {
  const char* what;
  std::string_view password, prepared;
};

TEST(Saslprep, Maps) {
  constexpr Case cases[] = {
      {"empty", "", ""},
      {"ASCII", "correct horse 'battery\" \\staple~", "correct horse 'battery\" \\staple~"},
      {"RFC 4013, 3: soft hyphen maps to nothing", "I\xc2\xadX", "IX"},
      {"RFC 4013, 3: no change", "user", "user"},
      {"RFC 4013, 3: case is kept", "USER", "USER"},
      {"RFC 4013, 3: output is NFKC", "\xc2\xaa", "a"},
      {"RFC 4013, 3: one character becomes two", "\xe2\x85\xa8", "IX"},
      {"no-break space", "a\xc2\xa0z", "a z"},
      {"ideographic space", "a\xe3\x80\x80z", "a z"},
      {"zero width space, which is in both tables, is a space", "a\xe2\x80\x8bz", "a z"},
      {"byte order mark maps to nothing",
       "\xef\xbb\xbf"
       "az",
       "az"},
      {"a letter and its accent compose", "e\xcc\x81", "\xc3\xa9"},
      {"composed stays composed", "\xc3\xa9", "\xc3\xa9"},
      {"marks in canonical order: dot below before dot above", "s\xcc\x87\xcc\xa3", "\xe1\xb9\xa9"},
      {"a mark between keeps another of its class from composing", "a\xcc\x96\xcc\x80",
       "\xc3\xa0\xcc\x96"},
      {"Angstrom sign is a letter", "\xe2\x84\xab", "\xc3\x85"},
      {"ligature", "\xef\xac\x83", "ffi"},
      {"full-width", "\xef\xbc\xa1\xef\xbc\x91", "A1"},
      {"half-width kana compose", "\xef\xbd\xb6\xef\xbe\x9e", "\xe3\x82\xac"},
      {"Hangul composes, lead and vowel", "\xe1\x84\x92\xe1\x85\xa1", "\xed\x95\x98"},
      {"Hangul composes, with a tail", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"},
      {"Hangul syllable", "\xed\x95\x9c", "\xed\x95\x9c"},
      {"excluded from composition", "\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc"},
      {"CJK compatibility ideograph", "\xef\xa4\x80", "\xe8\xb1\x88"},
      {"beyond the basic plane", "\xf0\x9d\x92\x9c", "A"},
      {"Hebrew alone", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},
      {"right-to-left at both ends, digits between",
       "\xd7\xa9"
       "1\xd7\x9d",
       "\xd7\xa9"
       "1\xd7\x9d"},
  };
  for (const Case& one : cases) EXPECT_EQ(saslprep(one.password), one.prepared) << one.what;
}

TEST(Saslprep, LeavesWhatItProhibitsAsItIs) {
  constexpr Case cases[] = {
      {"RFC 4013, 3: a control character", "\x07", ""},
      {"RFC 4013, 3: right-to-left that ends otherwise", "\xd8\xa7\x31", ""},
      {"a zero", "a\0z\xc2\xad"sv, ""},
      {"DEL", "a\x7f\xc2\xad", ""},
      {"C1 control", "\xc2\x80\xc2\xad", ""},
      {"private use", "\xee\x80\x80\xc2\xad", ""},
      {"non-character", "\xef\xb7\x90\xc2\xad", ""},
      {"replacement character", "\xef\xbf\xbd\xc2\xad", ""},
      {"ideographic description", "\xe2\xbf\xb0\xc2\xad", ""},
      {"right-to-left mark", "\xe2\x80\x8f\xc2\xad", ""},
      {"tagging", "\xf3\xa0\x80\x81\xc2\xad", ""},
      {"not assigned in Unicode 3.2: an emoji", "\xf0\x9f\x98\x80\xc2\xad", ""},
      {"a mark that is prohibited, though it normalises to one that is not", "a\xcd\x80", ""},
      {"not assigned in Unicode 3.2, though it normalises to a letter", "\xcf\xb9", ""},
      {"nothing is left", "\xc2\xad", ""},
      {"both directions", "\xd7\xa9\xc3\xa9\xd7\x9d\xc2\xad", ""},
      {"right-to-left that begins otherwise", "1\xd7\xa9\xc2\xad", ""},
  };
  for (const Case& one : cases) EXPECT_EQ(saslprep(one.password), one.password) << one.what;
}

TEST(Saslprep, LeavesWhatIsNoUtf8AsItIs) {
  constexpr std::string_view malformed[] = {
      "\xff",
      "\x80",
      "\xc2",
      "\xc2\x41",
      "\xe2\x82",
      "\xf0\x9f\x98",
      "\xc0\xaf",
      "\xc1\xbf",
      "\xe0\x9f\xbf",
      "\xf0\x8f\xbf\xbf",
      "\xed\xa0\x80",
      "\xed\xbf\xbf",
      "\xf4\x90\x80\x80",
      "\xf5\x80\x80\x80",
      "\xf8\x88\x80\x80\x80",
  };
  for (const std::string_view bytes : malformed) {
    const std::string password = "\xc2\xad" + std::string(bytes);
    EXPECT_EQ(saslprep(password), password);
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
