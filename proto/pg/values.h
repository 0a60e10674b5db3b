// Values in PostgreSQL's binary format, and the C++ types that stand for them.
//
//     bool 1 byte | int2 int4 int8 big-endian | float8 IEEE 754 | timestamptz int64 | uuid 16 bytes
//     | text and its kin: the bytes
//
// Text is a view of the message it came in. A value of the wrong length is refused, never read
// past.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "proto/pg/oid.h"
#include "proto/pg/timestamptz.h"
#include "proto/pg/uuid.h"
#include "proto/wire/bytes.h"

namespace ringpost::proto::pg {

// What a C++ type is to PostgreSQL: the type it is sent as, those it can be read from, its size on
// the wire (-1: any), and both ways.
template <class T>
struct Value;

template <class T, Oid Type>
struct IntegerValue {
  static constexpr Oid sent_as = Type;
  static constexpr bool reads(Oid type) { return type == Type; }
  static constexpr int32_t size = sizeof(T);
  static T decode(std::string_view bytes) { return wire::load_big_endian<T>(bytes.data()); }
  static size_t encoded_size(T) { return sizeof(T); }
  static void encode(char* at, T value) { wire::store_big_endian(at, value); }
};

template <>
struct Value<int16_t> : IntegerValue<int16_t, oid::int2> {};
template <>
struct Value<int32_t> : IntegerValue<int32_t, oid::int4> {};
template <>
struct Value<int64_t> : IntegerValue<int64_t, oid::int8> {};

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
struct Value<double> {
  static constexpr Oid sent_as = oid::float8;
  static constexpr bool reads(Oid type) { return type == oid::float8; }
  static constexpr int32_t size = 8;
  static double decode(std::string_view bytes) {
    return std::bit_cast<double>(wire::load_big_endian<uint64_t>(bytes.data()));
  }
  static size_t encoded_size(double) { return 8; }
  static void encode(char* at, double value) {
    wire::store_big_endian(at, std::bit_cast<uint64_t>(value));
  }
};

template <>
struct Value<Timestamptz> {
  static constexpr Oid sent_as = oid::timestamptz;
  static constexpr bool reads(Oid type) { return type == oid::timestamptz; }
  static constexpr int32_t size = 8;
  static Timestamptz decode(std::string_view bytes) {
    return {wire::load_big_endian<int64_t>(bytes.data())};
  }
  static size_t encoded_size(Timestamptz) { return 8; }
  static void encode(char* at, Timestamptz value) {
    wire::store_big_endian(at, value.microseconds);
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

// UTF-8, as client_encoding says; PostgreSQL keeps it well-formed.
template <>
struct Value<std::string_view> {
  static constexpr Oid sent_as = oid::text;
  static constexpr bool reads(Oid type) {
    return type == oid::text || type == oid::varchar || type == oid::bpchar || type == oid::name ||
           type == oid::unknown;
  }
  static constexpr int32_t size = -1;
  static std::string_view decode(std::string_view bytes) { return bytes; }
  static size_t encoded_size(std::string_view value) { return value.size(); }
  static void encode(char* at, std::string_view value) {
    if (!value.empty()) std::memcpy(at, value.data(), value.size());
  }
};

// A column that may be NULL. For any other type a NULL is an error.
template <class T>
struct Value<std::optional<T>> : Value<T> {};

template <class T>
inline constexpr bool is_nullable = false;
template <class T>
inline constexpr bool is_nullable<std::optional<T>> = true;

}  // namespace ringpost::proto::pg
