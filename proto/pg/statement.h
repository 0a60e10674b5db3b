// A prepared statement, declared once: its SQL, the types of its parameters, the type of its rows.
//
//     struct User {
//       Uuid id;
//       std::optional<std::string_view> name;  // may be NULL
//       static constexpr auto columns = std::tuple{&User::id, &User::name};
//     };
//     inline constexpr auto find_user =
//         read<User(Uuid)>("find_user", "select id, name from users where id = $1");
//     inline constexpr auto rename_user = write<void(Uuid, std::string_view)>(
//         "rename_user", "update users set name = $2 where id = $1");
//
// A read may be asked again when its answer was lost with the connection, or when it gave way to
// others (a deadlock, say); a write is asked once. Which it is the program says for each.
//
// When the statement is prepared, its declaration is checked against the server's description: a
// column of another type is found then, and not in a row. Integers may be of another width than
// declared, as after ALTER TABLE ... TYPE bigint: then each value is looked at. Rows are decoded
// where they were received, without a copy or an allocation (but for the members that own:
// proto/pg/values.h): text in a row, and the Rows themselves, live as long as those bytes, which is
// until the coroutine that awaited them suspends again.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "proto/pg/backend.h"
#include "proto/pg/command_tag.h"
#include "proto/pg/frontend.h"
#include "proto/pg/statement_name.h"
#include "proto/pg/values.h"
#include "proto/wire/buffer.h"

namespace ringpost::proto::pg {

// A statement without its types: what code that handles any statement needs. Kept at one address
// for the whole run.
struct StatementDescription {
  struct Column {
    bool (*reads)(Oid type);
    bool (*reads_by_width)(Oid type);
    Oid usual;  // for saying what was expected
  };
  std::string_view name, sql;
  StatementName server_name;
  std::span<const Oid> parameters;
  std::span<const Column> columns;
  bool read_only;  // it may be asked again

  // Whether the server's ParameterDescription and RowDescription (their bodies; empty for NoData)
  // are what is declared, but for widths of integers; else what differs.
  std::expected<Widths, std::string> check(std::string_view parameter_description,
                                           std::string_view row_description) const;
};

namespace detail {

template <class Member>
struct MemberType;
template <class Owner, class T>
struct MemberType<T Owner::*> {
  using type = T;
};

template <class T>
constexpr bool reads_by_width([[maybe_unused]] Oid type) {
  if constexpr (requires { Value<T>::reads_by_width(type); })
    return Value<T>::reads_by_width(type);
  else
    return false;
}

template <class Row>
struct ColumnsOf {
  using Tuple = std::remove_cvref_t<decltype(Row::columns)>;
  static constexpr size_t count = std::tuple_size_v<Tuple>;
  template <size_t I>
  using Type = typename MemberType<std::tuple_element_t<I, Tuple>>::type;

  static constexpr auto descriptions = []<size_t... I>(std::index_sequence<I...>) {
    return std::array<StatementDescription::Column, count>{StatementDescription::Column{
        &Value<Type<I>>::reads, &reads_by_width<Type<I>>, Value<Type<I>>::sent_as}...};
  }(std::make_index_sequence<count>());
};

}  // namespace detail

// Reads the columns of one DataRow into `row`; false when they are not what Row declares, and `row`
// is then of no use. REQUIRES: `row` as it was made, its optional members empty.
template <Widths widths = Widths::declared, class Row>
bool decode_row(std::string_view body, Row& row) {
  using Columns = detail::ColumnsOf<Row>;
  if (body.size() < 2 || wire::load_big_endian<uint16_t>(body.data()) != Columns::count)
    return false;
  const char *at = body.data() + 2, *const end = body.data() + body.size();
  return std::apply(
             [&](auto... member) { return (decode_field<widths>(at, end, row.*member) && ...); },
             Row::columns) &&
         at == end;
}

template <class Row>
std::optional<Row> decode_row(std::string_view body) {
  std::optional<Row> row(std::in_place);
  if (!decode_row(body, *row)) row.reset();
  return row;
}

// The rows of one answer, decoded one by one. A row that can't be decoded ends them: next() is then
// empty and malformed() true.
template <class Row>
class Rows {
 public:
  Rows() = default;
  // `messages`: whole messages; all but DataRow are passed over.
  // `command_tag`: the body of the CommandComplete behind them.
  explicit Rows(std::string_view messages, std::string_view command_tag = {},
                Widths widths = Widths::declared)
      : rest_(messages), command_tag_(command_tag), widths_(widths) {}

  std::optional<Row> next() {
    return widths_ == Widths::declared ? next_of<Widths::declared>() : next_of_any_width();
  }
  bool malformed() const { return malformed_; }
  // Of an INSERT, UPDATE, DELETE or MERGE the rows that it touched, of a SELECT those it brought.
  uint64_t affected() const { return affected_rows(command_tag_); }

 private:
  template <Widths widths>
  [[gnu::always_inline]] std::optional<Row> next_of() {
    std::optional<Row> row;  // the one variable returned, so that it is made in its place
    Message message;
    while (!row && next_message(rest_, message) == wire::Parse::complete) {
      rest_.remove_prefix(message.size);
      if (message.type != BackendMessage::DataRow) continue;
      if (!decode_row<widths>(message.body, row.emplace())) {
        row.reset();
        malformed_ = true;
        rest_ = {};
      }
    }
    return row;
  }
  // Apart, so that the usual rows are read as if there were no others.
  [[gnu::cold, gnu::noinline]] std::optional<Row> next_of_any_width() {
    return next_of<Widths::any>();
  }

  std::string_view rest_, command_tag_;
  Widths widths_ = Widths::declared;
  bool malformed_ = false;
};

// The row of a statement that brings none.
struct NoRow {
  static constexpr auto columns = std::tuple<>{};
};

enum class Access : uint8_t { read, write };

// Made by read() and write().
template <class Signature>
struct Statement;

template <class Row, class... Parameters>
struct Statement<Row(Parameters...)> : StatementDescription {
  static constexpr std::array<Oid, sizeof...(Parameters)> parameter_types{
      Value<Parameters>::sent_as...};

  constexpr Statement(Access access, std::string_view statement_name, std::string_view text)
      : StatementDescription{statement_name,
                             text,
                             StatementName(statement_name, text, parameter_types),
                             parameter_types,
                             detail::ColumnsOf<Row>::descriptions,
                             access == Access::read} {}

  // Whether PostgreSQL takes a message with these values.
  bool fits(const Parameters&... values) const {
    return BindEncoder::fits(server_name.view(), sizeof...(Parameters), sum_of(values...));
  }

  // Appends Bind and Execute; false, and nothing is appended, when the values do not fit.
  [[nodiscard]] bool encode_bind(wire::Buffer& out, const Parameters&... values) const {
    return encode_bind_as(server_name.view(), out, values...);
  }
  // The same, of the statement that the server knows as that.
  [[nodiscard]] bool encode_bind_as(std::string_view known_as, wire::Buffer& out,
                                    const Parameters&... values) const {
    const size_t value_bytes = sum_of(values...);
    if (!BindEncoder::fits(known_as, sizeof...(Parameters), value_bytes)) return false;
    BindEncoder bind(out, known_as, sizeof...(Parameters), value_bytes);
    (encode_one(bind, values), ...);
    bind.finish();
    return true;
  }

 private:
  static_assert(sizeof...(Parameters) <= 0xffff, "Bind counts its parameters in 16 bits");

  // Of values that are too long by themselves, some number that is too large; never one that
  // wrapped.
  static size_t sum_of(const Parameters&... values) {
    return (size_t{0} + ... + std::min(size_of(values), max_message_length));
  }
  template <class T>
  static size_t size_of(const T& value) {
    if constexpr (is_nullable<T>)
      return value ? Value<T>::encoded_size(*value) : 0;
    else
      return Value<T>::encoded_size(value);
  }
  template <class T>
  static void encode_one(BindEncoder& bind, const T& value) {
    if constexpr (is_nullable<T>) {
      if (!value) return bind.null();
      Value<T>::encode(bind.value(Value<T>::encoded_size(*value)), *value);
    } else {
      Value<T>::encode(bind.value(Value<T>::encoded_size(value)), value);
    }
  }
};

namespace detail {

template <class Signature>
struct StatementOf {
  using type = Statement<Signature>;
};
template <class... Parameters>
struct StatementOf<void(Parameters...)> {
  using type = Statement<NoRow(Parameters...)>;
};

}  // namespace detail

// A statement that may be asked again: it changes nothing, or nothing that doing it twice would
// change otherwise. Of a signature as Row(Parameters...), where a Row of void brings none.
template <class Signature>
constexpr typename detail::StatementOf<Signature>::type read(std::string_view name,
                                                             std::string_view sql) {
  return {Access::read, name, sql};
}

// One that is never asked again: when its answer is lost, whether it was done is not known.
template <class Signature>
constexpr typename detail::StatementOf<Signature>::type write(std::string_view name,
                                                              std::string_view sql) {
  return {Access::write, name, sql};
}

}  // namespace ringpost::proto::pg
