// Writer: JSON text (RFC 8259), straight into a buffer.
//
// Names and punctuation are literals that the caller writes with raw(): one copy of known length.
// Values are escaped and formatted here. Text is UTF-8 and is escaped as the RFC demands and no
// more: quotes, backslashes, and controls below U+0020. What was written is in the buffer once the
// Writer ends, or after commit(); until then nothing else may append to it.
#pragma once

#include <charconv>
#include <concepts>
#include <cstring>
#include <optional>
#include <string_view>

#include "proto/wire/buffer.h"

namespace ringpost::proto::json {

class Writer {
 public:
  // Makes room for about `expected` bytes at once; more is made as it is needed.
  explicit Writer(wire::Buffer& out, size_t expected = 512) : out_(out) { take_room(expected); }
  ~Writer() { commit(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  template <size_t N>
  Writer& raw(const char (&literal)[N]) {
    reserve(N);
    std::memcpy(at_, literal, N - 1);
    at_ += N - 1;
    return *this;
  }

  Writer& string(std::string_view text);

  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char>)
  Writer& number(T value) {
    reserve(20);
    at_ = std::to_chars(at_, at_ + 20, value).ptr;
    return *this;
  }
  Writer& boolean(bool value) { return value ? raw("true") : raw("false"); }
  Writer& null() { return raw("null"); }

  // A string of what `write(char*)` writes, which is at most `most` bytes and needs no escaping; it
  // returns where it ended.
  template <class Write>
  Writer& quoted(size_t most, Write write) {
    reserve(most + 2);
    *at_++ = '"';
    at_ = write(at_);
    *at_++ = '"';
    return *this;
  }

  void commit() {
    out_.commit(static_cast<size_t>(at_ - begin_));
    begin_ = at_;
  }

 private:
  void reserve(size_t length) {
    if (static_cast<size_t>(end_ - at_) < length) [[unlikely]] {
      commit();
      take_room(length);
    }
  }
  void take_room(size_t length) {
    begin_ = at_ = out_.prepare(length);
    end_ = at_ + out_.room();
  }

  wire::Buffer& out_;
  char *begin_, *at_, *end_;
};

}  // namespace ringpost::proto::json
