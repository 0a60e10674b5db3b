// What the stub understands of SQL: the contract's three statements, by their text
// (src/app/users.h), and what drivers say at the start and the end of a session. Letter case,
// blanks and comments that run to the end of the line do not count.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proto/pg/oid.h"

namespace ringpost::stub {

// A column of an answer, as RowDescription tells of it.
struct Column {
  std::string_view name;
  proto::pg::Oid type;
  int16_t size;           // -1: varies
  int32_t modifier = -1;  // of char(2): 2 and the 4 bytes of a length that is no more

  // Whether its text differs from its binary form.
  bool has_text() const;
};

struct Statement {
  enum class Kind : uint8_t {
    nothing,  // blanks and comments alone
    find_user,
    list_users,
    select_one,
    show,      // of the setting that its column is named by
    begin,     // a transaction
    commit,    //
    rollback,  //
    forget,    // prepared statements
    command,   // what changes nothing here: SET and the like
  };
  Kind kind;
  std::string_view tag;  // of its CommandComplete; behind SELECT comes the number of rows
  std::span<const proto::pg::Oid> parameters;
  std::span<const Column> columns;
};

// No value: the stub can't answer this. `sql` is one statement, with or without its semicolon. What
// is returned lives for ever.
std::optional<Statement> understand(std::string_view sql);

// Takes the first statement off the front of `script`, up to its semicolon; quotes are looked at.
std::string_view take_statement(std::string_view& script);

// A setting that SHOW knows, and that a session is told of when it starts (ParameterStatus): names
// as PostgreSQL spells them. `value` is empty where it is the session's own.
struct Setting {
  std::string_view name, value;
  bool told = true;
};
std::span<const Setting> settings();

}  // namespace ringpost::stub
