// Value<T>: what a C++ type is to PostgreSQL, and the types of one value each; which is which
// stands in proto/pg/values.h.
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "proto/pg/datetime.h"
#include "proto/pg/frontend.h"
#include "proto/pg/inet.h"
#include "proto/pg/numeric.h"
#include "proto/pg/oid.h"
#include "proto/pg/timestamptz.h"
#include "proto/pg/uuid.h"
#include "proto/wire/bytes.h"

namespace ringpost::proto::pg {

struct Bytea {
  std::string_view bytes;

  bool operator==(const Bytea&) const = default;
};

// As it was stored, blanks and all.
struct Json {
  std::string_view text;

  bool operator==(const Json&) const = default;
};

// As PostgreSQL writes it: keys in its own order, one of each.
struct Jsonb {
  std::string_view text;

  bool operator==(const Jsonb&) const = default;
};

// A value of any enum type; of a type that users made the server tells no more than its number, so
// that it is an enum is the program's word. As a parameter its type is found out by the server;
// arrays of enums can be read and not sent, as they say their type themselves, by a number that
// differs between databases.
struct Enum {
  std::string_view label;

  bool operator==(const Enum&) const = default;
};

template <class T>
inline constexpr bool is_nullable = false;
template <class T>
inline constexpr bool is_nullable<std::optional<T>> = true;

// What a C++ type is to PostgreSQL: the type it is sent as, those it can be read from, its size on
// the wire (-1: any), and both ways. Where every value of that size decodes, decode() returns it;
// else it is `bool decode(bytes, value)`, false for what is malformed.
template <class T>
struct Value;

// One number in network order, whatever T makes of its bits.
template <class T, std::integral Wire, Oid Type>
struct ScalarValue {
  static constexpr Oid sent_as = Type;
  static constexpr bool reads(Oid type) { return type == Type; }
  static constexpr int32_t size = sizeof(Wire);
  static T decode(std::string_view bytes) {
    return std::bit_cast<T>(wire::load_big_endian<Wire>(bytes.data()));
  }
  static size_t encoded_size(T) { return sizeof(Wire); }
  static void encode(char* at, T value) { wire::store_big_endian(at, std::bit_cast<Wire>(value)); }
};

// Is also read from integers of another width, by decode_field with Widths::any.
template <std::integral T, Oid Type>
struct IntegerValue : ScalarValue<T, T, Type> {
  static constexpr bool reads_by_width(Oid type) {
    return type == oid::int2 || type == oid::int4 || type == oid::int8;
  }
  // False when T can't hold it, or the bytes are no integer.
  static bool decode_by_width(std::string_view bytes, T& value) {
    int64_t wide = 0;
    if (bytes.size() == 2)
      wide = wire::load_big_endian<int16_t>(bytes.data());
    else if (bytes.size() == 4)
      wide = wire::load_big_endian<int32_t>(bytes.data());
    else if (bytes.size() == 8)
      wide = wire::load_big_endian<int64_t>(bytes.data());
    else
      return false;
    value = static_cast<T>(wide);
    return std::in_range<T>(wide);
  }
};

template <>
struct Value<int16_t> : IntegerValue<int16_t, oid::int2> {};
template <>
struct Value<int32_t> : IntegerValue<int32_t, oid::int4> {};
template <>
struct Value<int64_t> : IntegerValue<int64_t, oid::int8> {};
template <>
struct Value<uint32_t> : ScalarValue<uint32_t, uint32_t, oid::object_id> {};
template <>
struct Value<float> : ScalarValue<float, uint32_t, oid::float4> {};
template <>
struct Value<double> : ScalarValue<double, uint64_t, oid::float8> {};
template <>
struct Value<Date> : ScalarValue<Date, int32_t, oid::date> {};
template <>
struct Value<Time> : ScalarValue<Time, int64_t, oid::time> {};
template <>
struct Value<Timestamp> : ScalarValue<Timestamp, int64_t, oid::timestamp> {};
template <>
struct Value<Timestamptz> : ScalarValue<Timestamptz, int64_t, oid::timestamptz> {};

template <>
struct Value<bool> {
  static constexpr Oid sent_as = oid::boolean;
  static constexpr bool reads(Oid type) { return type == oid::boolean; }
  static constexpr int32_t size = 1;
  static bool decode(std::string_view bytes) { return bytes[0] != 0; }
  static size_t encoded_size(bool) { return 1; }
  static void encode(char* at, bool value) { *at = value ? 1 : 0; }
};

template <>
struct Value<Interval> {
  static constexpr Oid sent_as = oid::interval;
  static constexpr bool reads(Oid type) { return type == oid::interval; }
  static constexpr int32_t size = 16;
  static Interval decode(std::string_view bytes) {
    return {.microseconds = wire::load_big_endian<int64_t>(bytes.data()),
            .days = wire::load_big_endian<int32_t>(bytes.data() + 8),
            .months = wire::load_big_endian<int32_t>(bytes.data() + 12)};
  }
  static size_t encoded_size(const Interval&) { return 16; }
  static void encode(char* at, const Interval& value) {
    at = wire::store_big_endian(at, value.microseconds);
    at = wire::store_big_endian(at, value.days);
    wire::store_big_endian(at, value.months);
  }
};

template <>
struct Value<Uuid> {
  static constexpr Oid sent_as = oid::uuid;
  static constexpr bool reads(Oid type) { return type == oid::uuid; }
  static constexpr int32_t size = 16;
  static Uuid decode(std::string_view bytes) {
    Uuid value;
    std::memcpy(value.bytes.data(), bytes.data(), 16);
    return value;
  }
  static size_t encoded_size(const Uuid&) { return 16; }
  static void encode(char* at, const Uuid& value) { std::memcpy(at, value.bytes.data(), 16); }
};

template <>
struct Value<Numeric> {
  static constexpr Oid sent_as = oid::numeric;
  static constexpr bool reads(Oid type) { return type == oid::numeric; }
  static constexpr int32_t size = -1;
  static bool decode(std::string_view bytes, Numeric& value) {
    return decode_numeric(bytes, value);
  }
  // More digits than their count can say are too many for any message.
  static size_t encoded_size(const Numeric& value) {
    return value.digits.size() > 0xffff ? max_message_length : 8 + 2 * value.digits.size();
  }
  static void encode(char* at, const Numeric& value) { encode_numeric(at, value); }
};

template <>
struct Value<Inet> {
  static constexpr Oid sent_as = oid::inet;
  static constexpr bool reads(Oid type) { return type == oid::inet || type == oid::cidr; }
  static constexpr int32_t size = -1;
  static bool decode(std::string_view bytes, Inet& value) { return decode_inet(bytes, value); }
  static size_t encoded_size(const Inet& value) { return 4 + value.address_size(); }
  static void encode(char* at, const Inet& value) { encode_inet(at, value); }
};

// The bytes themselves; T is a string or a struct of one view.
template <class T, Oid Type>
struct BytesValue {
  static constexpr Oid sent_as = Type;
  static constexpr bool reads(Oid type) { return type == Type; }
  static constexpr int32_t size = -1;
  static T decode(std::string_view bytes) { return T{bytes}; }
  static size_t encoded_size(const T& value) { return view(value).size(); }
  static void encode(char* at, const T& value) {
    const std::string_view bytes = view(value);
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  }

 private:
  static std::string_view view(const T& value) {
    if constexpr (std::convertible_to<const T&, std::string_view>) {
      return value;
    } else {
      const auto& [bytes] = value;
      return bytes;
    }
  }
};

// UTF-8, as client_encoding says; PostgreSQL keeps it well-formed.
template <class T>
struct TextValue : BytesValue<T, oid::text> {
  static constexpr bool reads(Oid type) {
    return type == oid::text || type == oid::varchar || type == oid::bpchar || type == oid::name ||
           type == oid::unknown;
  }
};
template <>
struct Value<std::string_view> : TextValue<std::string_view> {};
template <>
struct Value<std::string> : TextValue<std::string> {};

template <>
struct Value<Bytea> : BytesValue<Bytea, oid::bytea> {};
template <>
struct Value<Json> : BytesValue<Json, oid::json> {};
template <>
struct Value<Enum> : BytesValue<Enum, oid::unspecified> {
  static constexpr bool reads(Oid type) { return type >= oid::first_of_users; }
};

template <>
struct Value<Jsonb> {
  static constexpr Oid sent_as = oid::jsonb;
  static constexpr bool reads(Oid type) { return type == oid::jsonb; }
  static constexpr int32_t size = -1;
  static bool decode(std::string_view bytes, Jsonb& value) {
    if (bytes.empty() || bytes.front() != version) return false;
    value.text = bytes.substr(1);
    return true;
  }
  static size_t encoded_size(const Jsonb& value) {
    return 1 + std::min(value.text.size(), max_message_length);
  }
  static void encode(char* at, const Jsonb& value) {
    *at = version;
    if (!value.text.empty()) std::memcpy(at + 1, value.text.data(), value.text.size());
  }

 private:
  static constexpr char version = 1;
};

// A column that may be NULL. For any other type a NULL is an error.
template <class T>
struct Value<std::optional<T>> : Value<T> {};

// Whether integers have the width that is declared for them.
enum class Widths : uint8_t { declared, any };

// Reads one value behind its length (int32, -1 for NULL) at `at`, which ends at `end`, and moves
// on; false when it does not fit its type. Inlined: it is called for each column of each row.
template <Widths widths = Widths::declared, class T>
[[gnu::always_inline]] inline bool decode_field(const char*& at, const char* end, T& value) {
  if (end - at < 4) return false;
  const auto size = wire::load_big_endian<int32_t>(at);
  at += 4;
  if (size < 0) {
    if constexpr (is_nullable<T>) {
      value = std::nullopt;
      return size == -1;
    }
    return false;
  }
  constexpr bool by_width = widths == Widths::any && requires { Value<T>::reads_by_width; };
  if (!by_width && Value<T>::size >= 0 && size != Value<T>::size) return false;
  if (end - at < size) return false;
  const std::string_view bytes(at, static_cast<size_t>(size));
  at += size;
  if constexpr (by_width) {
    if constexpr (is_nullable<T>)
      return Value<T>::decode_by_width(bytes, value.emplace());
    else
      return Value<T>::decode_by_width(bytes, value);
  } else if constexpr (requires { Value<T>::decode(bytes); }) {
    value = Value<T>::decode(bytes);
    return true;
  } else if constexpr (is_nullable<T>) {
    return Value<T>::decode(bytes, value.emplace());
  } else {
    return Value<T>::decode(bytes, value);
  }
}

}  // namespace ringpost::proto::pg
