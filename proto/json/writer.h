// Writer: JSON text (RFC 8259), straight into a buffer.
//
//     json.object(field<"id">(user.id), field<"age">(user.age));
//     json.raw("{\"id\":").value(user.id).raw(",\"age\":").value(user.age).raw("}");
//
// Room is made once for a value, or for a whole object, and then written to without a check; only
// text that turns out to need escaping asks for more. Values are text (UTF-8, see escape.h),
// integers, bool, nullptr, types with a Format (pg_formats.h), and std::optional of these: null
// when empty. Of raw JSON nothing is checked. What was written is in the buffer once the Writer
// ends, or after commit(); until then nothing else may append to it.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "proto/json/escape.h"
#include "proto/json/field.h"
#include "proto/wire/buffer.h"

namespace ringpost::proto::json {

// How a type of the program's own is written, quotes and all:
//     static constexpr size_t most;                    the room that write() needs
//     static char* write(char* at, const T& value);    returns where it ended
template <class T>
struct Format;

template <class T>
concept Formatted = requires(char* at, const T& value) {
  { Format<T>::most } -> std::convertible_to<size_t>;
  { Format<T>::write(at, value) } -> std::same_as<char*>;
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

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
    at_ = put_raw(at_, literal);
    return *this;
  }

  template <class T>
  Writer& value(const T& value) {
    reserve(room_for(value));
    at_ = put(at_, value, 0);
    return *this;
  }
  Writer& string(std::string_view text) { return value(text); }
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char>)
  Writer& number(T value) {
    return this->value(value);
  }
  Writer& boolean(bool value) { return this->value(value); }
  Writer& null() { return value(nullptr); }

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

  template <Name... names, class... T>
  Writer& object(Field<names, T>... fields) {
    if constexpr (sizeof...(fields) == 0) {
      return raw("{}");
    } else {
      const size_t room = ((fields.next_key.size() + room_for(fields.value)) + ...) + 1;
      reserve(room);
      char* at = at_;
      bool first = true;  // folded away: the fields are unrolled
      ((at = put_array(at, std::exchange(first, false) ? fields.first_key : fields.next_key),
        at = put(at, fields.value, room)),
       ...);
      *at++ = '}';
      at_ = at;
      return *this;
    }
  }

  void commit() {
    out_.commit(static_cast<size_t>(at_ - begin_));
    begin_ = at_;
  }

 private:
  // Longer text is rather looked at before all of it was copied.
  static constexpr size_t short_text = 64;
  static constexpr size_t word_room = 8, integer_room = 20;

  template <size_t N>
  static char* put_raw(char* at, const char (&literal)[N]) {
    std::memcpy(at, literal, N - 1);
    return at + N - 1;
  }
  template <size_t N>
  static char* put_array(char* at, const std::array<char, N>& text) {
    std::memcpy(at, text.data(), N);
    return at + N;
  }

  // The room that put() needs for this value, if nothing in it is escaped.
  template <class T>
  static size_t room_for(const T& value) {
    if constexpr (is_optional<T>) {
      return value ? std::max(word_room, room_for(*value)) : word_room;
    } else if constexpr (Formatted<T>) {
      return Format<T>::most;
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
      return std::string_view(value).size() + 2;
    } else if constexpr (std::same_as<T, bool> || std::same_as<T, std::nullptr_t>) {
      return word_room;
    } else {
      static_assert(std::integral<T> && !std::same_as<T, char>, "Format says how to write this");
      return integer_room;
    }
  }

  // Writes a value behind `at`, a local copy of at_: a member would be read and written again for
  // each byte, since these may alias it. Room for room_for(value) is there, and afterwards room for
  // `behind` is, or what is left of that which was.
  template <class T>
  char* put(char* at, const T& value, size_t behind) {
    if constexpr (is_optional<T>) {
      return value ? put(at, *value, behind) : put_raw(at, "null");
    } else if constexpr (Formatted<T>) {
      return Format<T>::write(at, value);
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
      return put_string(at, value, behind);
    } else if constexpr (std::same_as<T, bool>) {
      std::memcpy(at, value ? "true\0\0\0" : "false\0\0", word_room);
      return at + 5 - value;
    } else if constexpr (std::same_as<T, std::nullptr_t>) {
      return put_raw(at, "null");
    } else {
      return std::to_chars(at, at + integer_room, value).ptr;
    }
  }

  char* put_string(char* at, std::string_view text, size_t behind) {
    *at++ = '"';
    if (text.size() <= short_text && copy_plain(at, text.data(), text.size())) [[likely]]
      at += text.size();
    else
      at = put_escaped(at, text, behind);
    *at++ = '"';
    return at;
  }
  char* put_escaped(char* at, std::string_view text, size_t behind);

  void reserve(size_t length) {
    if (static_cast<size_t>(end_ - at_) < length) [[unlikely]]
      make_room(length);
  }
  void make_room(size_t length);
  void take_room(size_t length) {
    begin_ = at_ = out_.prepare(length);
    end_ = at_ + out_.room();
  }

  wire::Buffer& out_;
  char *begin_, *at_, *end_;
};

}  // namespace ringpost::proto::json
