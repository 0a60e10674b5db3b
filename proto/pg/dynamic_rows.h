// DynamicRows: the rows of a statement made at run time, with the description that came before
// them.
//
//     while (rows.next())
//       for (size_t i = 0; i < rows.columns().size(); ++i)
//         print(rows.columns()[i].name, rows.is_null(i) ? "NULL" : rows.bytes(i));
//
// The description's names and the fields' bytes are views of the bytes that were received: they
// live as those of Rows do (statement.h), and those of a row until the next() as well as any other.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "proto/pg/backend.h"
#include "proto/pg/command_tag.h"
#include "proto/pg/dynamic_statement.h"
#include "proto/pg/values.h"

namespace ringpost::proto::pg {

class DynamicRows {
 public:
  DynamicRows() = default;
  // Bodies of RowDescription (empty for NoData) and CommandComplete; `messages`: whole messages, of
  // which all but DataRow are passed over; `format`: of all fields.
  DynamicRows(std::string_view row_description, std::string_view messages,
              std::string_view command_tag, Format format);

  std::span<const FieldDescription> columns() const { return columns_; }
  // The first column of that name.
  std::optional<size_t> find(std::string_view name) const;

  // Moves to the next row; false behind the last, and at one that is malformed, which ends them.
  bool next();
  bool malformed() const { return malformed_; }
  // As Rows has it; and what was executed: "INSERT 0 1".
  uint64_t affected() const { return affected_rows(command_tag_); }
  std::string_view command() const { return command_of(command_tag_); }

  // Of the row that next() moved to. REQUIRES: it returned true, and `column` < columns().size().
  bool is_null(size_t column) const { return length_of(fields_[column]) < 0; }
  // In the format that was asked for; empty for NULL.
  std::string_view bytes(size_t column) const { return fields_[column].substr(4); }
  // Of the type that stands for T; nothing when the column is of another type, is malformed, or is
  // NULL and T no std::optional. REQUIRES: that binary was asked for.
  template <class T>
  std::optional<T> as(size_t column) const {
    assert(format_ == Format::binary);
    std::optional<T> value;
    if (!Value<T>::reads(columns_[column].type)) return value;
    const std::string_view field = fields_[column];
    const char* at = field.data();
    if (!decode_field(at, at + field.size(), value.emplace())) value.reset();
    return value;
  }

 private:
  static int32_t length_of(std::string_view field) {
    return wire::load_big_endian<int32_t>(field.data());
  }
  bool split(std::string_view row);

  std::vector<FieldDescription> columns_;
  std::vector<std::string_view> fields_;  // each with its length before it
  std::string_view rest_, command_tag_;
  Format format_ = Format::text;
  bool malformed_ = false;
};

}  // namespace ringpost::proto::pg
