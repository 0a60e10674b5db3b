// Arrays of one dimension in binary, as std::vector: of each type of proto/pg/value.h, its elements
// std::optional where they may be NULL.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/pg/frontend.h"
#include "proto/pg/oid.h"
#include "proto/pg/value.h"
#include "proto/wire/bytes.h"

namespace ringpost::proto::pg {

// array_send, array_recv (src/backend/utils/adt/arrayfuncs.c), of one dimension or of none, which
// is how an empty one comes. Where it is numbered from is not kept; what is sent is numbered
// from 1.
//
//     int32 dimensions  int32 has NULLs (0, 1)  Oid of the elements  int32 count  int32 first
//     number then each element behind its length
template <class T>
struct Value<std::vector<T>> {
  static constexpr Oid sent_as = array_of(Value<T>::sent_as);
  static constexpr bool reads(Oid type) {
    const Oid element = element_of(type);
    if (element != oid::unspecified) return Value<T>::reads(element);
    // What a type made by users is an array of is seen when it comes.
    return type >= oid::first_of_users && Value<T>::reads(type);
  }
  static constexpr int32_t size = -1;

  static bool decode(std::string_view bytes, std::vector<T>& values) {
    wire::Reader reader(bytes);
    const auto dimensions = reader.integer<int32_t>();
    const auto has_nulls = reader.integer<uint32_t>();
    const auto element = reader.integer<Oid>();
    values.clear();
    if (!reader.ok() || has_nulls > 1 || !Value<T>::reads(element)) return false;
    if (dimensions == 0) return reader.finished();
    const auto count = reader.integer<uint32_t>();
    reader.integer<int32_t>();
    // Each takes a length at least, so a count that is a lie reserves nothing; a negative one is
    // larger than any.
    if (dimensions != 1 || !reader.ok() || count > reader.remaining() / 4) return false;
    values.reserve(count);
    const std::string_view elements = reader.bytes(reader.remaining());
    const char *at = elements.data(), *const end = at + elements.size();
    for (uint32_t i = 0; i < count; ++i) {
      T value{};
      if (!decode_field(at, end, value)) return false;
      values.push_back(std::move(value));
    }
    return at == end;
  }

  static size_t encoded_size(const std::vector<T>& values) {
    size_t sum = values.empty() ? 12 : 20;
    for (auto&& value : values) sum += 4 + std::min(element_size(value), max_message_length);
    return sum;
  }

  static void encode(char* at, const std::vector<T>& values) {
    static_assert(sent_as != oid::unspecified, "arrays of this type can be read and not sent");
    bool has_nulls = false;
    for (auto&& value : values) has_nulls |= is_null(value);
    at = wire::store_big_endian<int32_t>(at, values.empty() ? 0 : 1);
    at = wire::store_big_endian<int32_t>(at, has_nulls ? 1 : 0);
    at = wire::store_big_endian(at, Value<T>::sent_as);
    if (values.empty()) return;
    at = wire::store_big_endian(at, static_cast<int32_t>(values.size()));
    at = wire::store_big_endian<int32_t>(at, 1);
    for (auto&& value : values) {
      const size_t length = element_size(value);
      at = wire::store_big_endian(at, is_null(value) ? -1 : static_cast<int32_t>(length));
      if constexpr (is_nullable<T>) {
        if (value) Value<T>::encode(at, *value);
      } else {
        Value<T>::encode(at, value);
      }
      at += length;
    }
  }

 private:
  static bool is_null(const T& value) {
    if constexpr (is_nullable<T>)
      return !value;
    else
      return false;
  }
  static size_t element_size(const T& value) {
    if constexpr (is_nullable<T>)
      return value ? Value<T>::encoded_size(*value) : 0;
    else
      return Value<T>::encoded_size(value);
  }
};

}  // namespace ringpost::proto::pg
