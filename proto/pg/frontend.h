// Frontend messages, encoded (PostgreSQL 18 documentation, 54.7 "Message Formats"). Each is
// appended to `out`, as encoder.h says.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "proto/pg/oid.h"
#include "proto/wire/buffer.h"

namespace ringpost::proto::pg {

struct BackendKeyData;

// Version 3.0. Name and value of each parameter: user, database, application_name...
void encode_startup(wire::Buffer& out,
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
// The only message of a connection of its own.
void encode_cancel_request(wire::Buffer& out, const BackendKeyData& key);

// Bind of the unnamed portal, with the parameters and the results in binary, then Execute without a
// limit of rows. The body of each parameter is written by `write(char*)`, behind its length.
//
//     B length  "" \0  name \0  1 1  n  (length value)*n  1 1      E length  "" \0  0
class BindEncoder {
 public:
  // `value_bytes`: what the values take, without their lengths.
  BindEncoder(wire::Buffer& out, std::string_view name, uint16_t parameters, size_t value_bytes);

  // The next parameter: where to write its `size` bytes.
  char* value(size_t size);
  void null();

  // Closes the messages.
  void finish();

 private:
  wire::Buffer& out_;
  char* begin_;
  char* at_;
};

}  // namespace ringpost::proto::pg
