// A C++ enum for an enum type of the database: the labels stand beside it, in its own namespace,
//
//     enum class Weather { fair, foul };
//     constexpr auto enum_labels(Weather) {
//       return std::array{std::pair{Weather::fair, "fair"}, std::pair{Weather::foul, "foul"}};
//     }
//
// and Weather is a column, a parameter, or an element of an array that is read, as Enum is
// (values.h). A label that the program does not know makes the row malformed: a type that has grown
// is found where it is read. What has no label is sent as none, which PostgreSQL refuses.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>
#include <type_traits>
#include <utility>

#include "proto/pg/values.h"

namespace ringpost::proto::pg {

template <class E>
concept LabelledEnum = std::is_enum_v<E> && requires(E value) { enum_labels(value); };

template <LabelledEnum E>
struct Value<E> {
  static constexpr Oid sent_as = Value<Enum>::sent_as;
  static constexpr bool reads(Oid type) { return Value<Enum>::reads(type); }
  static constexpr int32_t size = -1;

  static bool decode(std::string_view bytes, E& value) {
    for (const auto& [each, label] : labels) {
      if (bytes != std::string_view(label)) continue;
      value = each;
      return true;
    }
    return false;
  }
  static size_t encoded_size(E value) { return label_of(value).size(); }
  static void encode(char* at, E value) {
    const std::string_view label = label_of(value);
    std::copy(label.begin(), label.end(), at);
  }

 private:
  static constexpr auto labels = enum_labels(E{});

  static constexpr std::string_view label_of(E value) {
    for (const auto& [each, label] : labels)
      if (each == value) return label;
    return {};
  }
};

}  // namespace ringpost::proto::pg
