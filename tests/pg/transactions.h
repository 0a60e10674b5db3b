// The bytes of transactions: what is sent for BEGIN, COMMIT and ROLLBACK, which are unnamed
// statements, and what a PostgreSQL answers.
#pragma once

#include <string>
#include <string_view>

#include "tests/pg/pool_client.h"

namespace ringpost::pg {

// Close, Parse and Describe of the unnamed statement; Bind without parameters for rows as text;
// Execute; Sync.
inline const std::string ask_begin =
    "C\0\0\0\x06S\0P\0\0\0\x0d\0BEGIN\0\0\0D\0\0\0\x06S\0"
    "B\0\0\0\x0e\0\0\0\0\0\0\0\1\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4"s;
inline const std::string ask_commit =
    "C\0\0\0\x06S\0P\0\0\0\x0e\0COMMIT\0\0\0D\0\0\0\x06S\0"
    "B\0\0\0\x0e\0\0\0\0\0\0\0\1\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4"s;
inline const std::string ask_rollback =
    "C\0\0\0\x06S\0P\0\0\0\x10\0ROLLBACK\0\0\0D\0\0\0\x06S\0"
    "B\0\0\0\x0e\0\0\0\0\0\0\0\1\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4"s;

// Up to BindComplete, of a statement without parameters and rows.
inline const std::string done =
    "3\0\0\0\4"
    "1\0\0\0\4"
    "t\0\0\0\6\0\0"
    "n\0\0\0\4"
    "2\0\0\0\4"s;
// ReadyForQuery: idle is `ready`.
inline const std::string in_transaction_now = "Z\0\0\0\5T"s, in_failed = "Z\0\0\0\5E"s;
inline const std::string begun = done +
                                 "C\0\0\0\x0a"
                                 "BEGIN\0"s +
                                 in_transaction_now;
inline const std::string committed = done +
                                     "C\0\0\0\x0b"
                                     "COMMIT\0"s +
                                     ready;
inline const std::string rolled_back = done +
                                       "C\0\0\0\x0d"
                                       "ROLLBACK\0"s +
                                       ready;

// The answer to ask_add(value), in a transaction.
inline std::string added(char value) {
  return bound + row(value) +
         "C\0\0\0\x0f"
         "INSERT 0 1\0"s +
         in_transaction_now;
}
inline std::string failed(std::string_view sqlstate) {
  return error("ERROR", sqlstate, "so it is") + in_failed;
}

}  // namespace ringpost::pg
