// Frontend messages, encoded (PostgreSQL 18 documentation, 54.7 "Message Formats"). Each is
// appended to `out`, as encoder.h says.
//
// A length that wrapped would make the rest of a value a message of its own (CVE-2024-27304), so
// what a program's values decide, the length of Bind, is judged before anything is written. All
// other messages are of names, SQL and passwords, and a Buffer ends at 2 GiB.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "proto/pg/oid.h"
#include "proto/wire/buffer.h"

namespace ringpost::proto::pg {

struct BackendKeyData;

// `version`: the major one in the upper 16 bits. Name and value of each parameter: user, database,
// application_name...
void encode_startup(wire::Buffer& out, uint32_t version,
                    std::span<const std::pair<std::string_view, std::string_view>> parameters);
void encode_sasl_initial_response(wire::Buffer& out, std::string_view mechanism,
                                  std::string_view data);
void encode_sasl_response(wire::Buffer& out, std::string_view data);
void encode_password(wire::Buffer& out, std::string_view password);
void encode_parse(wire::Buffer& out, std::string_view name, std::string_view sql,
                  std::span<const Oid> parameters);
void encode_describe_statement(wire::Buffer& out, std::string_view name);
void encode_close_statement(wire::Buffer& out, std::string_view name);
void encode_terminate(wire::Buffer& out);
// Before the start-up message: asks for TLS, and is answered by one byte, S or N (54.2.11).
void encode_ssl_request(wire::Buffer& out);
// The only message of a connection of its own.
void encode_cancel_request(wire::Buffer& out, const BackendKeyData& key);

// The most that PostgreSQL takes for a message's length (PQ_LARGE_MESSAGE_LIMIT of its
// src/include/libpq/libpq.h): it closes the session on a longer one.
inline constexpr size_t max_message_length = 0x3fff'fffe;

// Bind of the unnamed portal, with the parameters and the results in binary, then Execute without a
// limit of rows. The body of each parameter is written by `write(char*)`, behind its length.
//
//     B length  "" \0  name \0  1 1  n  (length value)*n  1 1      E length  "" \0  0
class BindEncoder {
 public:
  // Whether Bind's length allows for that; `value_bytes` is what the values take, without their
  // lengths.
  static constexpr bool fits(std::string_view name, uint16_t parameters, size_t value_bytes) {
    const size_t others = bare_length + name.size() + 4 * size_t{parameters};
    return others <= max_message_length && value_bytes <= max_message_length - others;
  }

  // REQUIRES: it fits.
  BindEncoder(wire::Buffer& out, std::string_view name, uint16_t parameters, size_t value_bytes);

  // The next parameter: where to write its `size` bytes.
  char* value(size_t size);
  void null();

  // Closes the messages.
  void finish();

 private:
  static constexpr size_t bare_length = 16;  // of a Bind without name and parameters

  wire::Buffer& out_;
  char* begin_;
  char* at_;
};

}  // namespace ringpost::proto::pg
