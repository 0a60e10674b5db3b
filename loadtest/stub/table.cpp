#include "loadtest/stub/table.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "proto/pg/statement.h"
#include "proto/wire/bytes.h"
#include "src/app/users.h"

namespace ringpost::stub {

using proto::pg::Uuid;
using proto::wire::load_big_endian, proto::wire::Reader;

namespace {

constexpr std::string_view signature("PGCOPY\n\377\r\n\0", 11);
constexpr size_t fields_of_user = std::tuple_size_v<decltype(app::User::columns)>;

std::unexpected<std::string> wrong_row(size_t number, const char* what) {
  return std::unexpected("row " + std::to_string(number) + " " + what);
}

// The tuple at `reader`, whole: empty when it ends early.
std::string_view next_tuple(Reader& reader, std::string_view rest, int16_t fields) {
  for (int16_t i = 0; i < fields; ++i) {
    const auto length = reader.integer<int32_t>();
    if (length > 0) reader.bytes(static_cast<size_t>(length));
  }
  return reader.ok() ? rest.substr(0, rest.size() - reader.remaining()) : std::string_view{};
}

}  // namespace

std::expected<Table, std::string> Table::read(std::vector<char> copied) {
  Table table;
  table.copied_ = std::move(copied);
  std::string_view rest(table.copied_.data(), table.copied_.size());
  Reader head(rest);
  if (head.bytes(signature.size()) != signature)
    return std::unexpected("not what COPY writes in its binary format");
  head.integer<int32_t>();
  head.bytes(head.integer<uint32_t>());
  rest.remove_prefix(rest.size() - head.remaining());
  for (size_t number = 1;; ++number) {
    Reader reader(rest);
    const auto fields = reader.integer<int16_t>();
    if (reader.ok() && fields == -1) break;
    if (reader.ok() && fields != fields_of_user) return wrong_row(number, "has other columns");
    const std::string_view tuple = next_tuple(reader, rest, fields);
    if (tuple.empty()) return wrong_row(number, "is cut off");
    const std::optional<app::User> user = proto::pg::decode_row<app::User>(tuple);
    if (!user || !user->id) return wrong_row(number, "has columns of other types");
    table.rows_.push_back({*user->id, tuple.substr(sizeof fields)});
    rest.remove_prefix(tuple.size());
  }
  std::ranges::sort(table.rows_, {}, &Row::id);
  table.slots_.resize(std::bit_ceil(2 * table.rows_.size() + 1));
  for (const Row& row : table.rows_) {
    size_t slot = table.first_slot(row.id);
    while (!table.slots_[slot].fields.empty()) slot = (slot + 1) & (table.slots_.size() - 1);
    table.slots_[slot] = row;
  }
  return table;
}

// Ids may be anything, so both halves count.
size_t Table::first_slot(const Uuid& id) const {
  const auto* bytes = reinterpret_cast<const char*>(id.bytes.data());
  const uint64_t mixed = (load_big_endian<uint64_t>(bytes) ^ load_big_endian<uint64_t>(bytes + 8)) *
                         0x9e3779b97f4a7c15;
  return mixed >> 32 & (slots_.size() - 1);
}

std::span<const Table::Row> Table::find(const Uuid& id) const {
  for (size_t slot = first_slot(id); !slots_[slot].fields.empty();
       slot = (slot + 1) & (slots_.size() - 1))
    if (slots_[slot].id == id) return {&slots_[slot], 1};
  return {};
}

std::span<const Table::Row> Table::page(int64_t limit, int64_t offset) const {
  const auto first = std::min(static_cast<uint64_t>(offset), uint64_t{rows_.size()});
  const auto count = std::min(static_cast<uint64_t>(limit), rows_.size() - first);
  return std::span(rows_).subspan(first, count);
}

}  // namespace ringpost::stub
