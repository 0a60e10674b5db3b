#include "proto/wire/ascii.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/guarded.h"

namespace ringpost::proto::wire {
namespace {

TEST(Ascii, TextThatIsAsciiIsSoToItsEnd) {
  for (size_t length = 0; length < 200; ++length) {
    const tests::Guarded text(std::string(length, '\x7f'));
    EXPECT_EQ(ascii_prefix(text.view()), length);
  }
}

TEST(Ascii, WhatIsNotIsFoundWhereverItStands) {
  for (size_t length = 1; length < 150; ++length)
    for (size_t at = 0; at < length; ++at)
      for (const char byte : {'\x80', '\xff'}) {
        std::string text(length, 'a');
        text[at] = byte;
        const tests::Guarded guarded(text);
        const size_t prefix = ascii_prefix(guarded.view());
        EXPECT_LE(prefix, at) << length;
        EXPECT_LT(at - prefix, size_t{32}) << length;
      }
}

}  // namespace
}  // namespace ringpost::proto::wire
