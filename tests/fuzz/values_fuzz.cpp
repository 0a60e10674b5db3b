// Invariants: a row that decodes does so whatever integers' widths may be. One that decodes,
// encoded again, is the very row, but for a bool, which is true for any byte that is not zero; so a
// row of the wrong shape never decodes, and Rows neither loses, repeats nor invents one. A value of
// a type with several forms, encoded again, is of a form that decodes to the same value. The text
// of a numeric is read as that number. The rows of a statement made at run time lie in the input,
// and a row of them, put together from its fields, is the very row. A NotificationResponse is made
// of what was read of it, and a command's count is in its tag.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "proto/pg/dynamic_rows.h"
#include "proto/pg/enum.h"
#include "proto/pg/notification.h"
#include "proto/pg/statement.h"
#include "tests/support/pg_messages.h"

namespace ringpost {
namespace {

using namespace proto::pg;
using tests::int16, tests::int32;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Everything {
  std::optional<Uuid> uuid;
  std::optional<std::string_view> text;
  std::optional<int16_t> int2;
  std::optional<int32_t> int4;
  std::optional<int64_t> int8;
  std::optional<bool> boolean;
  std::optional<double> float8;
  std::optional<Timestamptz> timestamptz;

  static constexpr auto columns = std::tuple{
      &Everything::uuid, &Everything::text,    &Everything::int2,   &Everything::int4,
      &Everything::int8, &Everything::boolean, &Everything::float8, &Everything::timestamptz};
};

struct Others {
  std::optional<float> float4;
  std::optional<Date> date;
  std::optional<Timestamp> timestamp;
  std::optional<Interval> interval;
  std::optional<std::string> owned;
  std::optional<Json> json;
  std::optional<Jsonb> jsonb;
  std::optional<Bytea> bytea;
  std::optional<Enum> label;
  std::optional<Inet> inet;

  static constexpr auto columns = std::tuple{
      &Others::float4, &Others::date,  &Others::timestamp, &Others::interval, &Others::owned,
      &Others::json,   &Others::jsonb, &Others::bytea,     &Others::label,    &Others::inet};
};

enum class Label : uint8_t { none, ok };
constexpr auto enum_labels(Label) {
  return std::array{std::pair{Label::none, ""}, std::pair{Label::ok, "ok"}};
}

struct Newer {
  std::optional<Time> time;
  std::optional<uint32_t> oid;
  std::optional<Label> label;

  static constexpr auto columns = std::tuple{&Newer::time, &Newer::oid, &Newer::label};
};

struct Narrow {
  std::string_view text;
  int32_t int4;

  static constexpr auto columns = std::tuple{&Narrow::text, &Narrow::int4};
};

template <class T>
std::string encoded(const std::optional<T>& value) {
  if (!value) return tests::null_value;
  std::string bytes(Value<T>::encoded_size(*value), '\0');
  Value<T>::encode(bytes.data(), *value);
  return int32(static_cast<int64_t>(bytes.size())) + bytes;
}

template <class Row>
bool decodes(std::string_view body) {
  const auto row = decode_row<Row>(body);
  Row other{};
  require(!row || decode_row<Widths::any>(body, other));
  if (!row) return false;
  std::string again = std::apply(
      [&](auto... member) {
        return (int16(static_cast<int>(sizeof...(member))) + ... +
                encoded(std::optional((*row).*member)));
      },
      Row::columns);
  if constexpr (std::is_same_v<Row, Everything>) {
    if (row->boolean && *row->boolean) {
      const size_t at =
          again.size() - encoded(row->timestamptz).size() - encoded(row->float8).size() - 1;
      require(body.size() == again.size() && body[at] != 0);
      again[at] = body[at];
    }
  }
  require(again == body);
  return true;
}

// A value by itself, of the whole input.
template <class T>
void keeps_its_value(std::string_view bytes) {
  T value, again;
  if (!Value<T>::decode(bytes, value)) return;
  std::string written(Value<T>::encoded_size(value), '\0');
  Value<T>::encode(written.data(), value);
  require(Value<T>::decode(written, again) && again == value);
  if constexpr (std::is_same_v<T, Numeric>) {
    // Without zeros in front and behind, and cut after its scale.
    const std::string text = write_numeric(value);
    const auto read = parse_numeric(text);
    require(read.has_value());
    const std::string_view sign = read->kind == value.kind ? "" : "-";
    require(sign.empty() || read->digits.empty());
    require(std::string(sign) + write_numeric(*read) == text);
  }
}

template <class Row>
void count_rows(std::string_view messages) {
  size_t expected = 0;
  bool malformed = false;
  std::string_view rest = messages;
  for (Message message;
       !malformed && next_message(rest, message) == proto::wire::Parse::complete;) {
    rest.remove_prefix(message.size);
    if (message.type != BackendMessage::DataRow) continue;
    malformed = !decodes<Row>(message.body);
    if (!malformed) ++expected;
  }
  Rows<Row> rows(messages);
  size_t found = 0;
  while (rows.next()) ++found;
  require(found == expected && rows.malformed() == malformed && !rows.next());
}

// The first byte is the length of the description, behind which the messages are.
void walk_dynamic_rows(std::string_view input) {
  if (input.empty()) return;
  const auto length =
      std::min(static_cast<size_t>(static_cast<uint8_t>(input[0])), input.size() - 1);
  const std::string_view description = input.substr(1, length), messages = input.substr(1 + length);
  DynamicRows rows(description, messages, input, Format::binary);
  std::string_view rest = messages;
  while (rows.next()) {
    std::string again = int16(static_cast<int>(rows.columns().size()));
    for (size_t i = 0; i < rows.columns().size(); ++i) {
      const std::string_view bytes = rows.bytes(i);
      require(bytes.empty() || (bytes.data() >= messages.data() &&
                                bytes.data() + bytes.size() <= messages.data() + messages.size()));
      require(!rows.is_null(i) || bytes.empty());
      again += rows.is_null(i) ? tests::null_value : tests::value(bytes);
      if (rows.columns()[i].type == oid::int4) require(!rows.as<int32_t>(i) || bytes.size() == 4);
    }
    Message message;
    do {
      require(next_message(rest, message) == proto::wire::Parse::complete);
      rest.remove_prefix(message.size);
    } while (message.type != BackendMessage::DataRow);
    require(message.body == again);
  }
  require(!rows.next());
}

void read_notification(std::string_view body) {
  const auto read = decode_notification(body);
  if (!read) return;
  require(int32(read->process_id) + tests::cstring(read->channel) + tests::cstring(read->payload) ==
          body);
}

void read_tag(std::string_view tag) {
  const uint64_t count = affected_rows(tag);
  if (count == 0) return;
  const std::string digits = std::to_string(count) + '\0';
  require(tag.ends_with(digits));
}

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost;
  const tests::Exact input({reinterpret_cast<const char*>(data), size});
  decodes<Everything>(input.view());
  decodes<Narrow>(input.view());
  decodes<Others>(input.view());
  decodes<Newer>(input.view());
  walk_dynamic_rows(input.view());
  read_notification(input.view());
  read_tag(input.view());
  keeps_its_value<Numeric>(input.view());
  keeps_its_value<std::vector<std::optional<int32_t>>>(input.view());
  keeps_its_value<std::vector<std::optional<std::string_view>>>(input.view());
  keeps_its_value<std::vector<Numeric>>(input.view());
  count_rows<Everything>(input.view());
  count_rows<Narrow>(input.view());
  return 0;
}
