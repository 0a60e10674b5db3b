#include "proto/json/escape.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "tests/proto/json/written_slowly.h"
#include "tests/support/guarded.h"

namespace ringpost::proto::json {
namespace {

using tests::Guarded;

// Both ways of looking at sixteen bytes, whichever of them this machine's Writer takes.
template <class AnyBlock>
class Escape : public testing::Test {
 protected:
  static std::string escaped(std::string_view text) {
    const Guarded from(text);
    const Guarded to(std::string(escape_room(text.size()), '#'));
    char* const begin = const_cast<char*>(to.view().data());
    return {begin, escape<AnyBlock>(begin, from.view())};
  }
  // Checks that a copy without anything to escape is one, within its length.
  static bool plain(std::string_view text) {
    const Guarded from(text);
    const Guarded to(std::string(text.size(), '#'));
    const bool is_plain =
        copy_plain<AnyBlock>(const_cast<char*>(to.view().data()), from.view().data(), text.size());
    EXPECT_TRUE(!is_plain || to.view() == text);
    return is_plain;
  }
};

#if defined(__SSE2__)
using Blocks = testing::Types<PortableBlock, Sse2Block>;
#else
using Blocks = testing::Types<PortableBlock>;
#endif
TYPED_TEST_SUITE(Escape, Blocks);

TYPED_TEST(Escape, EachByteAlone) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    const bool special = byte < 0x20 || byte == '"' || byte == '\\';
    ASSERT_EQ(this->plain(text), !special) << byte;
    ASSERT_EQ(this->escaped(text), escaped_slowly(text)) << byte;
  }
}

TYPED_TEST(Escape, EveryLengthWithEachKindOfByteAtEveryPlace) {
  for (const char byte :
       {'\0', '\x01', '\b', '\t', '\n', '\f',   '\r',   '\x1f', ' ',    '!',    '"',
        '#',  '/',    '[',  '\\', ']',  '\x7f', '\x80', '\x9c', '\xa2', '\xdc', '\xff'}) {
    const bool special = (byte >= 0 && byte < 0x20) || byte == '"' || byte == '\\';
    for (size_t length = 0; length <= 70; ++length) {
      for (size_t place = 0; place < length; ++place) {
        std::string text(length, 'x');
        text[place] = byte;
        ASSERT_EQ(this->plain(text), !special) << length << " " << place << " " << int{byte};
        ASSERT_EQ(this->escaped(text), escaped_slowly(text))
            << length << " " << place << " " << int{byte};
      }
    }
  }
}

TYPED_TEST(Escape, NothingOrAllIsSpecial) {
  for (size_t length = 0; length <= 200; ++length) {
    const std::string without(length, 'x'), with(length, '\x1f');
    ASSERT_TRUE(this->plain(without));
    ASSERT_EQ(this->escaped(without), without);
    ASSERT_EQ(this->plain(with), length == 0);
    ASSERT_EQ(this->escaped(with), escaped_slowly(with));
  }
}

TYPED_TEST(Escape, AnyBytes) {
  std::mt19937 random(11);
  for (int round = 0; round < 50'000; ++round) {
    std::string text(random() % 80, '\0');
    const auto rarity = 1 + random() % 40;  // from noise to a special byte here and there
    for (char& c : text) c = random() % rarity == 0 ? static_cast<char>(random()) : 'x';
    ASSERT_EQ(this->escaped(text), escaped_slowly(text));
    ASSERT_EQ(this->plain(text), escaped_slowly(text) == text);
  }
}

}  // namespace
}  // namespace ringpost::proto::json
