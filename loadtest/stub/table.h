// Table: the users in memory, from what PostgreSQL wrote by
//
//     copy (select id, email, full_name, age, country_code, is_active, created_at from users)
//     to stdout (format binary)
//
// whose tuples are, byte for byte, what its DataRow would hold (PostgreSQL 18 documentation, COPY,
// "Binary Format"):
//
//     "PGCOPY\n\377\r\n\0"  flags (int32)  length of the extension (int32)  extension
//     (fields (int16)  (length (int32, -1: NULL)  value)*)*  -1 (int16)
//
// The table owns the bytes; rows are views of them and live as long as it does. Nothing changes
// once it is read, so threads share it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/pg/uuid.h"

namespace ringpost::stub {

class Table {
 public:
  struct Row {
    proto::pg::Uuid id;
    std::string_view fields;  // as a DataRow has them behind their number
  };

  // Else what is wrong with the bytes, for a user.
  static std::expected<Table, std::string> read(std::vector<char> copied);

  size_t size() const { return rows_.size(); }
  // At most one row.
  std::span<const Row> find(const proto::pg::Uuid& id) const;
  // In the order of ids. Neither number is negative.
  std::span<const Row> page(int64_t limit, int64_t offset) const;

 private:
  Table() = default;

  // Where a search for `id` begins: from there on, around the end, to a slot without fields.
  size_t first_slot(const proto::pg::Uuid& id) const;

  std::vector<char> copied_;
  std::vector<Row> rows_;  // in the order of ids
  // By id: a power of two, at most half of them in use. One cache miss a lookup, where
  // std::unordered_map has three (bench/stub_table_bench.cpp).
  std::vector<Row> slots_;
};

}  // namespace ringpost::stub
