#include "proto/pg/error.h"

#include "proto/wire/bytes.h"

namespace ringpost::proto::pg {

namespace {

// Calls `each(code, value)` for the fields of a body, up to the zero that ends them.
template <class Each>
void for_each(std::string_view body, Each each) {
  wire::Reader reader(body);
  while (const char code = reader.integer<char>()) {
    const std::string_view value = reader.string();
    if (!reader.ok()) return;
    each(code, value);
  }
}

std::string* field(ErrorResponse& error, char code) {
  switch (code) {
    case 'C':
      return &error.sqlstate;
    case 'M':
      return &error.message;
    case 'D':
      return &error.detail;
    case 'H':
      return &error.hint;
    case 'P':
      return &error.position;
    case 'W':
      return &error.where;
    case 's':
      return &error.schema;
    case 't':
      return &error.table;
    case 'c':
      return &error.column;
    case 'd':
      return &error.data_type;
    case 'n':
      return &error.constraint;
    case 'R':
      return &error.routine;
    default:
      return nullptr;
  }
}

// V, or where it is missing (servers before 9.6) S, which is in the server's language.
std::string_view severity_of(std::string_view body) {
  std::string_view plain, translated;
  for_each(body, [&](char code, std::string_view value) {
    if (code == 'V') plain = value;
    if (code == 'S') translated = value;
  });
  return plain.empty() ? translated : plain;
}

}  // namespace

ErrorResponse decode_error(std::string_view body) {
  ErrorResponse error;
  for_each(body, [&](char code, std::string_view value) {
    if (std::string* to = field(error, code)) *to = value;
  });
  error.severity = severity_of(body);
  return error;
}

bool is_fatal(std::string_view body) {
  const std::string_view severity = severity_of(body);
  return severity == "FATAL" || severity == "PANIC";
}

std::string ErrorResponse::text() const {
  std::string line(severity);
  line.append(" ").append(sqlstate).append(": ").append(message);
  if (!detail.empty()) line.append(" (").append(detail).append(")");
  if (!hint.empty()) line.append(" (hint: ").append(hint).append(")");
  return line;
}

bool ErrorResponse::is_outage() const {
  return sqlstate.starts_with("08") || sqlstate.starts_with("57P") || sqlstate == "53300" ||
         sqlstate == "53200" || sqlstate == "57014" || sqlstate == "55P03" || is_retryable();
}

bool ErrorResponse::is_retryable() const {
  return sqlstate == "40001" || sqlstate == "40P01";
}

bool ErrorResponse::is_ended_from_outside() const {
  return sqlstate == "57P01" || sqlstate == "57P02" || sqlstate == "57P04" || sqlstate == "57P05" ||
         (sqlstate == "40001" && is_fatal());
}

bool ErrorResponse::is_lost_statement() const {
  return sqlstate == "26000" || (sqlstate == "08P01" && message.starts_with("prepared statement "));
}

bool ErrorResponse::is_stale_statement() const {
  return sqlstate == "26000" || (sqlstate == "0A000" && routine == "RevalidateCachedQuery");
}

}  // namespace ringpost::proto::pg
