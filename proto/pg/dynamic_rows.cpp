#include "proto/pg/dynamic_rows.h"

#include <algorithm>

namespace ringpost::proto::pg {

DynamicRows::DynamicRows(std::string_view row_description, std::string_view messages,
                         std::string_view command_tag, Format format)
    : rest_(messages), command_tag_(command_tag), format_(format) {
  if (!row_description.empty())
    malformed_ = !for_each_field(
        row_description, [this](const FieldDescription& field) { columns_.push_back(field); });
  if (malformed_) rest_ = {};
}

std::optional<size_t> DynamicRows::find(std::string_view name) const {
  const auto at = std::find_if(columns_.begin(), columns_.end(),
                               [name](const FieldDescription& each) { return each.name == name; });
  if (at == columns_.end()) return std::nullopt;
  return static_cast<size_t>(at - columns_.begin());
}

bool DynamicRows::next() {
  Message message;
  while (next_message(rest_, message) == wire::Parse::complete) {
    rest_.remove_prefix(message.size);
    if (message.type != BackendMessage::DataRow) continue;
    if (split(message.body)) return true;
    malformed_ = true;
    rest_ = {};
  }
  return false;
}

// A DataRow's body into its fields; whether it has those that were described, to the last byte.
bool DynamicRows::split(std::string_view row) {
  wire::Reader reader(row);
  fields_.clear();
  if (reader.integer<uint16_t>() != columns_.size()) return false;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const std::string_view field = row.substr(row.size() - reader.remaining());
    const auto length = reader.integer<int32_t>();
    if (!reader.ok() || length < -1) return false;
    const size_t size = length < 0 ? 0 : static_cast<size_t>(length);
    reader.bytes(size);
    if (!reader.ok()) return false;
    fields_.push_back(field.substr(0, 4 + size));
  }
  return reader.finished();
}

}  // namespace ringpost::proto::pg
