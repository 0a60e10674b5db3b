#include "loadtest/stub/message.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "proto/pg/encoder.h"
#include "proto/pg/timestamptz.h"
#include "proto/pg/uuid.h"

namespace ringpost::stub {

namespace oid = proto::pg::oid;
namespace wire = proto::wire;
using proto::pg::BackendMessage, proto::pg::Encoder, proto::pg::Oid;
using wire::Buffer, wire::load_big_endian, wire::Reader, wire::store_big_endian;

namespace {

constexpr int32_t longest_message = 1 << 20;
// PostgreSQL's own limit (MAX_STARTUP_PACKET_LENGTH).
constexpr int32_t longest_startup_packet = 10'000;
constexpr std::string_view null_length("\xff\xff\xff\xff", 4);

// ISO style, in UTC: "2026-01-31 08:00:00.5+00", "0044-03-15 00:00:00+00 BC". From RFC 3339's,
// which has a 'T', six digits of a fraction, and other years before 1 and from 10000 on.
std::string timestamp_text(int64_t microseconds) {
  char space[proto::pg::timestamp_text_length];
  const std::string_view text(
      space, static_cast<size_t>(proto::pg::write_rfc3339(space, {microseconds}) - space));
  const size_t time_at = text.find('T');
  if (time_at == std::string_view::npos) return std::string(text);  // an infinity
  const std::string_view date = text.substr(0, time_at);
  const size_t year_length = date.size() - 6;
  const int year = std::atoi(std::string(date.substr(0, year_length)).c_str());
  std::string year_text = std::to_string(year > 0 ? year : 1 - year);
  year_text.insert(0, 4 - std::min<size_t>(year_text.size(), 4), '0');
  std::string_view time = text.substr(time_at + 1, text.size() - time_at - 2);
  if (time.contains('.')) time = time.substr(0, time.find_last_not_of('0') + 1);
  return year_text.append(date.substr(year_length)).append(" ").append(time) +
         (year > 0 ? "+00" : "+00 BC");
}

template <class T>
std::string number_text(std::string_view bytes) {
  return std::to_string(load_big_endian<T>(bytes.data()));
}

std::string as_text(Oid type, std::string_view bytes) {
  switch (type) {
    case oid::uuid: {
      proto::pg::Uuid id;
      std::memcpy(id.bytes.data(), bytes.data(), id.bytes.size());
      char text[proto::pg::uuid_text_length];
      proto::pg::write_uuid(text, id);
      return {text, sizeof text};
    }
    case oid::int4:
      return number_text<int32_t>(bytes);
    case oid::int8:
      return number_text<int64_t>(bytes);
    case oid::boolean:
      return bytes[0] != 0 ? "t" : "f";
    case oid::timestamptz:
      return timestamp_text(load_big_endian<int64_t>(bytes.data()));
    default:
      return std::string(bytes);
  }
}

// The field at the front of `fields`, taken off: its value, or none for NULL.
std::optional<std::string_view> take_field(std::string_view& fields) {
  const auto length = load_big_endian<int32_t>(fields.data());
  fields.remove_prefix(4);
  if (length < 0) return std::nullopt;
  const std::string_view value = fields.substr(0, static_cast<size_t>(length));
  fields.remove_prefix(value.size());
  return value;
}

}  // namespace

wire::Parse next_message(std::string_view input, Message& message) {
  if (input.size() < 5) return wire::Parse::partial;
  const auto length = load_big_endian<int32_t>(input.data() + 1);
  if (length < 4 || length > longest_message) return wire::Parse::invalid;
  message.type = input[0];
  message.size = 1 + static_cast<size_t>(length);
  if (input.size() < message.size) return wire::Parse::partial;
  message.body = input.substr(5, message.size - 5);
  return wire::Parse::complete;
}

wire::Parse next_startup_packet(std::string_view input, StartupPacket& packet) {
  if (input.size() < 8) return wire::Parse::partial;
  const auto length = load_big_endian<int32_t>(input.data());
  if (length < 8 || length > longest_startup_packet) return wire::Parse::invalid;
  packet.size = static_cast<size_t>(length);
  if (input.size() < packet.size) return wire::Parse::partial;
  packet.code = load_big_endian<uint32_t>(input.data() + 4);
  packet.body = input.substr(8, packet.size - 8);
  return wire::Parse::complete;
}

std::optional<Formats> Formats::decode(Reader& reader) {
  Formats formats;
  formats.codes_ = reader.bytes(2 * size_t{reader.integer<uint16_t>()});
  for (size_t i = 0; i < formats.count(); ++i)
    if (load_big_endian<uint16_t>(formats.codes_.data() + 2 * i) > 1) return std::nullopt;
  return formats;
}

std::optional<Parse> decode_parse(std::string_view body) {
  Reader reader(body);
  const Parse parse{.name = reader.string(), .sql = reader.string()};
  reader.bytes(sizeof(Oid) * reader.integer<uint16_t>());
  if (!reader.finished()) return std::nullopt;
  return parse;
}

std::optional<Bind> decode_bind(std::string_view body) {
  Reader reader(body);
  Bind bind{.portal = reader.string(), .statement = reader.string(), .values = {}, .results = {}};
  const std::optional<Formats> formats = Formats::decode(reader);
  bind.count = reader.integer<uint16_t>();
  if (!formats || !formats->fits(bind.count)) return std::nullopt;
  for (size_t i = 0; i < bind.count; ++i) {
    Bind::Value value;
    const auto length = reader.integer<int32_t>();
    if (length < -1) return std::nullopt;
    if (length >= 0) value.bytes = reader.bytes(static_cast<size_t>(length));
    value.binary = formats->binary(i);
    if (i < Bind::most_values) bind.values[i] = value;
  }
  const std::optional<Formats> results = Formats::decode(reader);
  if (!results || !reader.finished()) return std::nullopt;
  bind.results = *results;
  return bind;
}

std::optional<Named> decode_named(std::string_view body) {
  Reader reader(body);
  const Named named{.kind = reader.integer<char>(), .name = reader.string()};
  if (!reader.finished() || (named.kind != 'S' && named.kind != 'P')) return std::nullopt;
  return named;
}

std::optional<Execute> decode_execute(std::string_view body) {
  Reader reader(body);
  const Execute execute{.portal = reader.string(), .most_rows = reader.integer<int32_t>()};
  if (!reader.finished()) return std::nullopt;
  return execute;
}

void encode_parameter_status(Buffer& out, std::string_view name, std::string_view value) {
  Encoder(out, BackendMessage::ParameterStatus).string(name).string(value);
}

void encode_ready(Buffer& out, char transaction) {
  Encoder(out, BackendMessage::ReadyForQuery).integer(transaction);
}

void encode_parameter_description(Buffer& out, std::span<const Oid> parameters) {
  Encoder message(out, BackendMessage::ParameterDescription);
  message.integer(static_cast<int16_t>(parameters.size()));
  for (const Oid type : parameters) message.integer(type);
}

void encode_row_description(Buffer& out, std::span<const Column> columns, uint32_t text) {
  Encoder message(out, BackendMessage::RowDescription);
  message.integer(static_cast<int16_t>(columns.size()));
  for (size_t i = 0; i < columns.size(); ++i)
    message.string(columns[i].name)
        .integer(Oid{0})  // of no table
        .integer(int16_t{0})
        .integer(columns[i].type)
        .integer(columns[i].size)
        .integer(columns[i].modifier)
        .integer(static_cast<int16_t>(text >> i & 1 ? 0 : 1));
}

void encode_command_complete(Buffer& out, std::string_view tag, std::optional<size_t> rows) {
  if (rows == 1 && tag == "SELECT") return out.append({"C\0\0\0\15SELECT 1\0", 14});
  const std::string count = rows ? " " + std::to_string(*rows) : "";
  Encoder(out, BackendMessage::CommandComplete).bytes(tag).string(count);
}

void encode_error(Buffer& out, std::string_view severity, std::string_view sqlstate,
                  std::string_view message) {
  Encoder error(out, BackendMessage::ErrorResponse);
  error.integer('S').string(severity).integer('V').string(severity);
  error.integer('C').string(sqlstate).integer('M').string(message).integer('\0');
}

void encode_row(Buffer& out, std::span<const Column> columns, uint32_t text,
                std::string_view fields, std::string_view last_field) {
  if (text == 0) {
    const size_t size = 7 + fields.size() + last_field.size();
    char* at = out.prepare(size);
    *at++ = 'D';
    at = store_big_endian(at, static_cast<int32_t>(size - 1));
    at = store_big_endian(at, static_cast<int16_t>(columns.size()));
    std::memcpy(at, fields.data(), fields.size());
    if (!last_field.empty()) std::memcpy(at + fields.size(), last_field.data(), last_field.size());
    return out.commit(size);
  }
  Encoder message(out, BackendMessage::DataRow);
  message.integer(static_cast<int16_t>(columns.size()));
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::optional<std::string_view> value = take_field(fields.empty() ? last_field : fields);
    if (!value) {
      message.bytes(null_length);
    } else if ((text >> i & 1) == 0) {
      message.integer(static_cast<int32_t>(value->size())).bytes(*value);
    } else {
      const std::string as = as_text(columns[i].type, *value);
      message.integer(static_cast<int32_t>(as.size())).bytes(as);
    }
  }
}

}  // namespace ringpost::stub
