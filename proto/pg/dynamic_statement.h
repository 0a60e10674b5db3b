// DynamicStatement: SQL that is known when the program runs, with its parameters; executed once, as
// the server's unnamed statement (PostgreSQL 18 documentation, 54.2.3 "Extended Query").
//
//     DynamicStatement find(Access::read, "select * from " + quoted(table) + " where id = $1");
//     find.add_text(id);
//
// It owns its SQL and its parameters. Its rows (dynamic_rows.h) come as text or in binary, all of
// them alike. What is put into the SQL itself the program quotes (quote_identifier); values are
// parameters and need no quoting. COPY from or to the client is none of those: its messages end the
// session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/pg/statement.h"
#include "proto/pg/values.h"
#include "proto/wire/buffer.h"

namespace ringpost::proto::pg {

// Of a value: numbered as on the wire.
enum class Format : int16_t { text = 0, binary = 1 };

class DynamicStatement {
 public:
  // One statement, without a semicolon behind it. `rows`: the format of their fields.
  DynamicStatement(Access access, std::string sql, Format rows = Format::text)
      : sql_(std::move(sql)), access_(access), rows_(rows) {}

  // The next parameter, in binary, as the type that stands for T (values.h).
  template <class T>
    requires requires { Value<T>::sent_as; }
  DynamicStatement& add(const T& value) {
    if constexpr (is_nullable<T>) {
      if (!value) return add_bytes(Value<T>::sent_as, Format::binary, std::nullopt);
      return add_value(*value);
    } else {
      return add_value(value);
    }
  }
  DynamicStatement& add(std::string_view text) { return add_value(text); }
  // The next parameter as its text, of the type that the server finds out, or of `type`.
  DynamicStatement& add_text(std::string_view text, Oid type = oid::unspecified) {
    return add_bytes(type, Format::text, std::string(text));
  }
  DynamicStatement& add_null(Oid type = oid::unspecified) {
    return add_bytes(type, Format::text, std::nullopt);
  }

  const std::string& sql() const { return sql_; }
  Format rows() const { return rows_; }
  // Of the unnamed statement. Views of this one: they live until it changes.
  StatementDescription description() const;

  // Whether PostgreSQL takes messages with this SQL and these parameters.
  bool fits() const;
  // Appends Bind and Execute. REQUIRES: fits().
  void encode_bind(wire::Buffer& out) const;

 private:
  struct Parameter {
    Format format;
    std::optional<std::string> bytes;
  };

  template <class T>
  DynamicStatement& add_value(const T& value) {
    const size_t size = Value<T>::encoded_size(value);
    too_large_ |= size > max_message_length;
    if (too_large_) return *this;
    std::string bytes(size, '\0');
    Value<T>::encode(bytes.data(), value);
    return add_bytes(Value<T>::sent_as, Format::binary, std::move(bytes));
  }
  DynamicStatement& add_bytes(Oid type, Format format, std::optional<std::string> bytes) {
    types_.push_back(type);
    parameters_.push_back({format, std::move(bytes)});
    return *this;
  }

  std::string sql_;
  std::vector<Oid> types_;
  std::vector<Parameter> parameters_;
  Access access_;
  Format rows_;
  bool too_large_ = false;  // a value was, and is not kept
};

// A name of a table, a column, a channel, as SQL: in quotes, its own doubled. A zero byte, which no
// name has, ends it.
std::string quote_identifier(std::string_view name);

}  // namespace ringpost::proto::pg
