#include "proto/pg/dynamic_statement.h"

#include "proto/pg/encoder.h"

namespace ringpost::proto::pg {

namespace {
// Parse, Bind and Describe count in 16 bits.
constexpr size_t most_parameters = 0xffff;
constexpr std::string_view execute_all("E\0\0\0\x09\0\0\0\0\0", 10);
}  // namespace

StatementDescription DynamicStatement::description() const {
  return {.name = "made at run time",
          .sql = sql_,
          .server_name = StatementName({}, {}, {}),
          .parameters = types_,
          .columns = {},
          .read_only = access_ == Access::read};
}

bool DynamicStatement::fits() const {
  if (too_large_ || parameters_.size() > most_parameters) return false;
  // In Bind each has a length and a format, in Parse a type; what else there is is short.
  size_t bind = 32 + parameters_.size() * 6;
  for (const Parameter& each : parameters_) {
    bind += each.bytes ? each.bytes->size() : 0;
    if (bind > max_message_length) return false;
  }
  return 32 + sql_.size() + parameters_.size() * 4 <= max_message_length;
}

void DynamicStatement::encode_bind(wire::Buffer& out) const {
  {
    Encoder bind(out, FrontendMessage::Bind);
    bind.string({}).string({});  // of the portal and of the statement
    bind.integer(static_cast<uint16_t>(parameters_.size()));
    for (const Parameter& each : parameters_) bind.integer(static_cast<int16_t>(each.format));
    bind.integer(static_cast<uint16_t>(parameters_.size()));
    for (const Parameter& each : parameters_) {
      if (!each.bytes) {
        bind.integer<int32_t>(-1);
        continue;
      }
      bind.integer(static_cast<int32_t>(each.bytes->size())).bytes(*each.bytes);
    }
    bind.integer<int16_t>(1).integer(static_cast<int16_t>(rows_));  // one format for all
  }
  out.append(execute_all);
}

std::string quote_identifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name.substr(0, name.find('\0'))) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted += '"';
}

}  // namespace ringpost::proto::pg
