#include "proto/pg/frontend.h"

#include <cstring>

#include "proto/pg/backend.h"
#include "proto/pg/encoder.h"
#include "proto/wire/bytes.h"

namespace ringpost::proto::pg {

using wire::store_big_endian;

namespace {

using Type = FrontendMessage;

constexpr int32_t cancel_request_code = 80877102, ssl_request_code = 80877103;
// What Describe and Close are about.
constexpr char prepared_statement = 'S';

}  // namespace

void encode_startup(wire::Buffer& out, uint32_t version,
                    std::span<const std::pair<std::string_view, std::string_view>> parameters) {
  Encoder message(out);
  message.integer(version);
  for (const auto& [name, value] : parameters) message.string(name).string(value);
  message.integer<uint8_t>(0);
}

void encode_sasl_initial_response(wire::Buffer& out, std::string_view mechanism,
                                  std::string_view data) {
  Encoder(out, Type::SASLInitialResponse)
      .string(mechanism)
      .integer(static_cast<int32_t>(data.size()))
      .bytes(data);
}

void encode_sasl_response(wire::Buffer& out, std::string_view data) {
  Encoder(out, Type::SASLResponse).bytes(data);
}

void encode_password(wire::Buffer& out, std::string_view password) {
  Encoder(out, Type::PasswordMessage).string(password);
}

void encode_parse(wire::Buffer& out, std::string_view name, std::string_view sql,
                  std::span<const Oid> parameters) {
  Encoder message(out, Type::Parse);
  message.string(name).string(sql).integer(static_cast<int16_t>(parameters.size()));
  for (const Oid parameter : parameters) message.integer(parameter);
}

void encode_describe_statement(wire::Buffer& out, std::string_view name) {
  Encoder(out, Type::Describe).integer(prepared_statement).string(name);
}

void encode_close_statement(wire::Buffer& out, std::string_view name) {
  Encoder(out, Type::Close).integer(prepared_statement).string(name);
}

void encode_terminate(wire::Buffer& out) {
  Encoder(out, Type::Terminate);
}

void encode_ssl_request(wire::Buffer& out) {
  Encoder(out).integer(ssl_request_code);
}

void encode_cancel_request(wire::Buffer& out, const BackendKeyData& key) {
  Encoder(out).integer(cancel_request_code).integer(key.process_id).bytes(key.secret_key);
}

namespace {
constexpr std::string_view execute_all("E\0\0\0\x09\0\0\0\0\0", 10);
constexpr size_t around_bind = 64;
}  // namespace

BindEncoder::BindEncoder(wire::Buffer& out, std::string_view name, uint16_t parameters,
                         size_t value_bytes)
    : out_(out) {
  begin_ = out.prepare(around_bind + name.size() + value_bytes + 4 * size_t{parameters});
  at_ = begin_;
  std::memcpy(at_, "B\0\0\0\0\0", 6);
  at_ += 6;
  std::memcpy(at_, name.data(), name.size());
  at_ += name.size();
  std::memcpy(at_, "\0\0\1\0\1", 5);  // end of the name; one format for all parameters: binary
  at_ = store_big_endian(at_ + 5, parameters);
}

char* BindEncoder::value(size_t size) {
  char* const value = store_big_endian(at_, static_cast<int32_t>(size));
  at_ = value + size;
  return value;
}

void BindEncoder::null() {
  at_ = store_big_endian<int32_t>(at_, -1);
}

void BindEncoder::finish() {
  std::memcpy(at_, "\0\1\0\1", 4);  // one format for all results: binary
  at_ += 4;
  store_big_endian(begin_ + 1, static_cast<int32_t>(at_ - begin_ - 1));
  std::memcpy(at_, execute_all.data(), execute_all.size());
  at_ += execute_all.size();
  out_.commit(static_cast<size_t>(at_ - begin_));
}

}  // namespace ringpost::proto::pg
