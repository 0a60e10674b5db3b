// Backend messages: framing and contents (PostgreSQL 18 documentation, 54.7 "Message Formats").
//
//     type (1 byte)  length (int32, itself included, the type not)  body
//
// Everything is a view of the bytes that were received and lives as long as they stay where they
// are. Decoders say nullopt when the body is not what the format says, to the last byte.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/pg/message_type.h"
#include "proto/pg/oid.h"
#include "proto/wire/bytes.h"
#include "proto/wire/parse.h"

namespace ringpost::proto::pg {

struct Message {
  BackendMessage type{};
  std::string_view body;
  size_t size = 0;  // of the whole message
};

// The longest that PostgreSQL can send, as its length field says it (MaxAllocSize, 1 GiB): a longer
// one is garbage.
inline constexpr int32_t longest_message = (1 << 30) + 4;

namespace detail {
// How many values its length field may have, from 4 on, by the type; 0 for what no backend sends.
extern const std::array<uint32_t, 256> lengths;
}  // namespace detail

// The message at the front of `input`. Invalid: a type that no backend sends, or a length that
// can't be. Partial: with its type and size, when the five bytes of these are there. `message` is
// only written where something is known. Inlined: it is called for each row (1 % more instructions
// a lookup when it is not).
[[gnu::always_inline]] inline wire::Parse next_message(std::string_view input, Message& message) {
  constexpr size_t header = 5;
  if (input.empty()) return wire::Parse::partial;
  message.type = BackendMessage{input[0]};
  const uint32_t lengths = detail::lengths[static_cast<uint8_t>(input[0])];
  if (input.size() < header) [[unlikely]]
    return lengths == 0 ? wire::Parse::invalid : wire::Parse::partial;
  const auto length = wire::load_big_endian<uint32_t>(input.data() + 1);
  if (length - 4 >= lengths) [[unlikely]]
    return wire::Parse::invalid;
  message.size = 1 + size_t{length};
  if (input.size() < message.size) [[unlikely]]
    return wire::Parse::partial;
  message.body = {input.data() + header, message.size - header};
  return wire::Parse::complete;
}

// "BindComplete (2)": for saying which message was out of place.
std::string message_name(BackendMessage type);

struct BackendKeyData {
  int32_t process_id = 0;
  std::string secret_key;  // 4 bytes in protocol 3.0, up to 256 from 3.2 on
};
std::optional<BackendKeyData> decode_backend_key_data(std::string_view body);

// The server speaks another minor version than it was asked for, or does not know all options
// (_pq_.*) of the start-up message.
struct NegotiateProtocolVersion {
  uint32_t version = 0;  // as a start-up message has it: the major version in the upper 16 bits
  std::vector<std::string_view> unknown_options;
};
std::optional<NegotiateProtocolVersion> decode_negotiate_protocol_version(std::string_view body);

struct ParameterStatus {
  std::string_view name, value;
};
std::optional<ParameterStatus> decode_parameter_status(std::string_view body);

struct FieldDescription {
  std::string_view name;
  Oid table = 0;
  int16_t column = 0;
  Oid type = 0;
  int16_t type_size = 0;
  int32_t type_modifier = 0;
  int16_t format = 0;
};

// Calls `each(FieldDescription)` for the fields of a RowDescription; false when it is malformed.
template <class Each>
bool for_each_field(std::string_view body, Each each) {
  wire::Reader reader(body);
  const auto count = reader.integer<int16_t>();
  for (int16_t i = 0; i < count && reader.ok(); ++i) {
    FieldDescription field;
    field.name = reader.string();
    field.table = reader.integer<Oid>();
    field.column = reader.integer<int16_t>();
    field.type = reader.integer<Oid>();
    field.type_size = reader.integer<int16_t>();
    field.type_modifier = reader.integer<int32_t>();
    field.format = reader.integer<int16_t>();
    if (reader.ok()) each(field);
  }
  return reader.finished() && count >= 0;
}

// Calls `each(Oid)` for the parameters of a ParameterDescription; false when it is malformed.
template <class Each>
bool for_each_parameter(std::string_view body, Each each) {
  wire::Reader reader(body);
  const auto count = reader.integer<int16_t>();
  for (int16_t i = 0; i < count && reader.ok(); ++i) each(reader.integer<Oid>());
  return reader.finished() && count >= 0;
}

}  // namespace ringpost::proto::pg
