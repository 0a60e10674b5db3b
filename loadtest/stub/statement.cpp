#include "loadtest/stub/statement.h"

#include <algorithm>
#include <array>
#include <string>
#include <tuple>

#include "src/app/users.h"
#include "src/service/ping.h"

namespace ringpost::stub {

namespace oid = proto::pg::oid;
using proto::pg::Oid;
using Kind = Statement::Kind;

namespace {

constexpr Column users_columns[] = {{"id", oid::uuid, 16},
                                    {"email", oid::text, -1},
                                    {"full_name", oid::text, -1},
                                    {"age", oid::int4, 4},
                                    {"country_code", oid::bpchar, -1, 2 + 4},
                                    {"is_active", oid::boolean, 1},
                                    {"created_at", oid::timestamptz, 8},
                                    {"total", oid::int8, 8}};
constexpr Column one_column[] = {{"?column?", oid::int4, 4}};

constexpr Oid find_parameters[] = {oid::uuid};
constexpr Oid list_parameters[] = {oid::int8, oid::int8};

constexpr std::span listed_columns(users_columns);
static_assert(listed_columns.size() == std::tuple_size_v<decltype(app::Listed::columns)>);

struct Known {
  std::string_view sql;
  Statement statement;
};
constexpr Known queries[] = {
    {"", {Kind::nothing, "", {}, {}}},
    {app::find_user.sql, {Kind::find_user, "SELECT", find_parameters, listed_columns.first(7)}},
    {app::list_users.sql, {Kind::list_users, "SELECT", list_parameters, listed_columns}},
    {service::ping.sql, {Kind::select_one, "SELECT", {}, one_column}},
};
// By their first words.
constexpr Known commands[] = {
    {"begin", {Kind::begin, "BEGIN", {}, {}}},
    {"start transaction", {Kind::begin, "START TRANSACTION", {}, {}}},
    {"commit", {Kind::commit, "COMMIT", {}, {}}},
    {"end", {Kind::commit, "COMMIT", {}, {}}},
    {"rollback", {Kind::rollback, "ROLLBACK", {}, {}}},
    {"abort", {Kind::rollback, "ROLLBACK", {}, {}}},
    {"deallocate all", {Kind::forget, "DEALLOCATE ALL", {}, {}}},
    {"discard all", {Kind::forget, "DISCARD ALL", {}, {}}},
    {"set", {Kind::command, "SET", {}, {}}},
    {"reset", {Kind::command, "RESET", {}, {}}},
    {"unlisten", {Kind::command, "UNLISTEN", {}, {}}},
    {"close all", {Kind::command, "CLOSE CURSOR ALL", {}, {}}},
};

constexpr Setting all_settings[] = {
    {"server_version", "16.0 (ringpost's stub)"},
    {"server_encoding", "UTF8"},
    {"client_encoding", "UTF8"},
    {"application_name", ""},
    {"session_authorization", ""},
    {"is_superuser", "off"},
    {"DateStyle", "ISO, MDY"},
    {"IntervalStyle", "postgres"},
    {"TimeZone", "UTC"},
    {"integer_datetimes", "on"},
    {"standard_conforming_strings", "on"},
    {"default_transaction_read_only", "off"},
    {"in_hot_standby", "off"},
    {"transaction_read_only", "off", false},
    {"transaction_isolation", "read committed", false},
};
constexpr auto shown_columns = [] {
  std::array<Column, std::size(all_settings)> columns{};
  for (size_t i = 0; i < columns.size(); ++i) columns[i] = {all_settings[i].name, oid::text, -1};
  return columns;
}();

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}
std::string lower(std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(), [](char c) { return lower(c); });
  return lowered;
}

// In lower case, with one blank between words, without comments and the semicolons at its end.
std::string normal(std::string_view sql) {
  std::string text;
  while (!sql.empty()) {
    if (sql.starts_with("--")) sql.remove_prefix(std::min(sql.find('\n'), sql.size()));
    if (sql.empty()) break;
    if (!blank(sql.front()))
      text += lower(sql.front());
    else if (!text.empty() && text.back() != ' ')
      text += ' ';
    sql.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == ';')) text.pop_back();
  return text;
}

bool begins(std::string_view text, std::string_view words) {
  return text.starts_with(words) && (text.size() == words.size() || text[words.size()] == ' ');
}

}  // namespace

bool Column::has_text() const {
  return type != oid::text && type != oid::bpchar;
}

std::span<const Setting> settings() {
  return all_settings;
}

std::optional<Statement> understand(std::string_view sql) {
  const std::string text = normal(sql);
  for (const Known& known : queries)
    if (text == known.sql) return known.statement;
  for (const Known& known : commands)
    if (begins(text, known.sql)) return known.statement;
  if (begins(text, "show"))
    for (const Column& column : shown_columns)
      if (text.substr(4) == " " + lower(column.name))
        return Statement{Kind::show, "SHOW", {}, {&column, 1}};
  return std::nullopt;
}

std::string_view take_statement(std::string_view& script) {
  bool quoted = false;
  size_t end = 0;
  for (; end < script.size(); ++end) {
    if (script[end] == '\'') quoted = !quoted;
    if (script[end] == ';' && !quoted) break;
  }
  const std::string_view statement = script.substr(0, end);
  script.remove_prefix(std::min(end + 1, script.size()));
  return statement;
}

}  // namespace ringpost::stub
