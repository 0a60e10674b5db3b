// Frontend messages, decoded, and the answers to them, encoded (PostgreSQL 18 documentation, 54.7
// "Message Formats"): the other end of proto/pg, which frames and decodes what a server sends.
//
// What is decoded is views of the bytes that came. A decoder says nullopt when a body is not what
// the format says, to the last byte.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "loadtest/stub/statement.h"
#include "proto/pg/oid.h"
#include "proto/wire/buffer.h"
#include "proto/wire/bytes.h"
#include "proto/wire/parse.h"

namespace ringpost::stub {

// The message at the front of `input`. Invalid: a length that can't be, or is longer than any that
// the stub could answer.
struct Message {
  char type = 0;
  std::string_view body;
  size_t size = 0;  // of the whole message
};
proto::wire::Parse next_message(std::string_view input, Message& message);

// The first packet of a connection, which has no type. `body` is what is behind the code.
struct StartupPacket {
  static constexpr uint32_t ssl_request = 80877103, gss_request = 80877104,
                            cancel_request = 80877102, version_3 = 3 << 16;
  uint32_t code = 0;
  std::string_view body;
  size_t size = 0;  // of the whole packet
};
proto::wire::Parse next_startup_packet(std::string_view input, StartupPacket& packet);

// The formats of some values, as Bind names them: none (all are text), one for all, or one each.
class Formats {
 public:
  // None where there is no format that is known.
  static std::optional<Formats> decode(proto::wire::Reader& reader);

  bool fits(size_t values) const { return count() <= 1 || count() == values; }
  // REQUIRES: fits(n) for an n beyond `value`.
  bool binary(size_t value) const {
    if (count() == 0) return false;
    return codes_[count() == 1 ? 1 : 2 * value + 1] == 1;
  }

 private:
  size_t count() const { return codes_.size() / 2; }

  std::string_view codes_;  // int16 each
};

// Parse. The types that it names are not told: the stub's statements have their own.
struct Parse {
  std::string_view name, sql;
};
std::optional<Parse> decode_parse(std::string_view body);

struct Bind {
  struct Value {
    std::optional<std::string_view> bytes;  // none: NULL
    bool binary = false;
  };
  static constexpr size_t most_values = 2;

  std::string_view portal, statement;
  size_t count = 0;  // of values; that of a statement that the stub does not know may be greater
  Value values[most_values];
  Formats results;
};
std::optional<Bind> decode_bind(std::string_view body);

// Describe and Close: of a statement ('S') or a portal ('P').
struct Named {
  char kind;
  std::string_view name;
};
std::optional<Named> decode_named(std::string_view body);

struct Execute {
  std::string_view portal;
  int32_t most_rows;  // 0: all
};
std::optional<Execute> decode_execute(std::string_view body);

// Messages without a body.
inline constexpr std::string_view parse_complete("1\0\0\0\4", 5), bind_complete("2\0\0\0\4", 5),
    close_complete("3\0\0\0\4", 5), no_data("n\0\0\0\4", 5), empty_query_response("I\0\0\0\4", 5),
    portal_suspended("s\0\0\0\4", 5);

void encode_parameter_status(proto::wire::Buffer& out, std::string_view name,
                             std::string_view value);
// `transaction`: 'I' none, 'T' in one, 'E' in one that has failed.
void encode_ready(proto::wire::Buffer& out, char transaction);
void encode_parameter_description(proto::wire::Buffer& out,
                                  std::span<const proto::pg::Oid> parameters);
// Columns of which `text` has the bit are said to come as text, the others in binary.
void encode_row_description(proto::wire::Buffer& out, std::span<const Column> columns,
                            uint32_t text);
// "SELECT 1" where `rows` counts, else the tag alone.
void encode_command_complete(proto::wire::Buffer& out, std::string_view tag,
                             std::optional<size_t> rows);
void encode_error(proto::wire::Buffer& out, std::string_view severity, std::string_view sqlstate,
                  std::string_view message);

// The row of these fields, which stand as in a DataRow, in binary, in two parts of which the second
// may be empty. Columns of which `text` has the bit come as text, in ISO style and UTC.
void encode_row(proto::wire::Buffer& out, std::span<const Column> columns, uint32_t text,
                std::string_view fields, std::string_view last_field);

}  // namespace ringpost::stub
