// Encoder: one message of the protocol, appended to a buffer (PostgreSQL 18 documentation, 54.7
// "Message Formats"); either side's.
//
//     type (1 byte, but for the first message of a connection)  length (int32, itself included)
//     body
//
// Its length is filled in when the Encoder ends; until then nobody else appends to the buffer.
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/pg/message_type.h"
#include "proto/wire/buffer.h"
#include "proto/wire/bytes.h"

namespace ringpost::proto::pg {

class Encoder {
 public:
  Encoder(wire::Buffer& out, FrontendMessage type) : Encoder(out, static_cast<char>(type)) {}
  Encoder(wire::Buffer& out, BackendMessage type) : Encoder(out, static_cast<char>(type)) {}
  explicit Encoder(wire::Buffer& out) : out_(out) { begin(); }
  ~Encoder() {
    wire::store_big_endian(out_.data() + length_at_,
                           static_cast<int32_t>(out_.size() - length_at_));
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  template <class T>
  Encoder& integer(T value) {
    wire::store_big_endian(out_.prepare(sizeof value), value);
    out_.commit(sizeof value);
    return *this;
  }
  // Up to its first zero byte: the protocol can't carry one.
  Encoder& string(std::string_view text) {
    out_.append(text.substr(0, text.find('\0')));
    out_.append('\0');
    return *this;
  }
  Encoder& bytes(std::string_view data) {
    out_.append(data);
    return *this;
  }

 private:
  Encoder(wire::Buffer& out, char type) : out_(out) {
    out_.append(type);
    begin();
  }
  void begin() {
    length_at_ = out_.size();
    integer<int32_t>(0);
  }

  wire::Buffer& out_;
  size_t length_at_ = 0;
};

}  // namespace ringpost::proto::pg
