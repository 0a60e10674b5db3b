#include "proto/pg/error.h"

#include <gtest/gtest.h>

#include "tests/support/pg_messages.h"

using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

using tests::Exact;

// As PostgreSQL 16 sends it with lc_messages=de_DE.
constexpr std::string_view unique_violation =
    "SFEHLER\0VERROR\0C23505\0Mdoppelter Schl\xc3\xbcsselwert\0DSchl\xc3\xbcssel "
    "existiert\0Handerer Wert\0"
    "P15\0p3\0qselect "
    "1\0WPL/pgSQL\0spublic\0tusers\0cemail\0dtext\0nusers_email_key\0Fnbtinsert.c\0L666\0"
    "R_bt_check_unique\0\0"sv;

TEST(DecodeError, KeepsTheFields) {
  const ErrorResponse error = decode_error(unique_violation);
  EXPECT_EQ(error.severity, "ERROR") << "V, which is not translated";
  EXPECT_EQ(error.sqlstate, "23505");
  EXPECT_EQ(error.message, "doppelter Schl\xc3\xbcsselwert");
  EXPECT_EQ(error.detail, "Schl\xc3\xbcssel existiert");
  EXPECT_EQ(error.hint, "anderer Wert");
  EXPECT_EQ(error.position, "15");
  EXPECT_EQ(error.where, "PL/pgSQL");
  EXPECT_EQ(error.schema, "public");
  EXPECT_EQ(error.table, "users");
  EXPECT_EQ(error.column, "email");
  EXPECT_EQ(error.data_type, "text");
  EXPECT_EQ(error.constraint, "users_email_key");
  EXPECT_EQ(error.routine, "_bt_check_unique");
}

TEST(DecodeError, TakesSeverityFromSWhereVIsMissing) {
  EXPECT_EQ(decode_error("SFATAL\0C57P03\0Mstarting up\0\0"sv).severity, "FATAL");
  EXPECT_TRUE(is_fatal("SFATAL\0C57P03\0Mstarting up\0\0"sv));
}

TEST(DecodeError, IgnoresUnknownFields) {
  const ErrorResponse error = decode_error("VERROR\0Znews\0C42601\0Msyntax error\0\0"sv);
  EXPECT_EQ(error.text(), "ERROR 42601: syntax error");
}

// An error that is cut off still says what is left of it; nothing is read behind its end.
TEST(DecodeError, ReadsNothingPastAnyPrefix) {
  for (size_t size = 0; size <= unique_violation.size(); ++size) {
    const Exact exact(unique_violation.substr(0, size));
    const ErrorResponse error = decode_error(exact.view());
    EXPECT_TRUE("23505"sv == error.sqlstate || error.sqlstate.empty()) << size;
    EXPECT_FALSE(is_fatal(exact.view()));
  }
  EXPECT_EQ(decode_error("").text(), " : ");
}

TEST(ErrorText, AddsDetailAndHint) {
  ErrorResponse error;
  error.severity = "ERROR";
  error.sqlstate = "42P01";
  error.message = "relation \"users\" does not exist";
  EXPECT_EQ(error.text(), "ERROR 42P01: relation \"users\" does not exist");
  error.detail = "so it is";
  error.hint = "create it";
  EXPECT_EQ(error.text(),
            "ERROR 42P01: relation \"users\" does not exist (so it is) (hint: create it)");
}

TEST(IsFatal, ReadsTheUntranslatedSeverity) {
  struct Case {
    std::string_view body;
    bool fatal;
  };
  constexpr Case cases[] = {
      {"SFATAL\0VFATAL\0C57P01\0\0"sv, true},
      {"SPANIK\0VPANIC\0C57P02\0\0"sv, true},
      {"VPANIC\0SPANIK\0C57P02\0\0"sv, true},
      {"SFEHLER\0VERROR\0C22012\0\0"sv, false},
      {"SFATAL\0VERROR\0C22012\0\0"sv, false},
      {"VERROR\0SFATAL\0C22012\0\0"sv, false},
      {"SERROR\0C22012\0\0"sv, false},
      {"SFATAL\0V\0C57P01\0\0"sv, true},
      {"MFATAL\0\0"sv, false},
      {"\0"sv, false},
      {""sv, false},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(is_fatal(one.body), one.fatal) << one.body;
    EXPECT_EQ(decode_error(one.body).is_fatal(), one.fatal) << one.body;
  }
}

TEST(ErrorClass, TellsOutagesFromErrors) {
  struct Case {
    const char* sqlstate;
    bool outage;
  };
  constexpr Case cases[] = {
      {"08006", true},   // connection_failure
      {"08P01", true},   // protocol_violation
      {"57P01", true},   // admin_shutdown
      {"57P02", true},   // crash_shutdown
      {"57P03", true},   // cannot_connect_now
      {"57P05", true},   // idle_session_timeout
      {"53300", true},   // too_many_connections
      {"53200", true},   // out_of_memory
      {"57014", true},   // query_canceled: by statement_timeout, or by an administrator
      {"55P03", true},   // lock_not_available: by lock_timeout
      {"40001", true},   // serialization_failure, a standby's recovery conflict
      {"40P01", true},   // deadlock_detected
      {"40002", false},  // transaction_integrity_constraint_violation
      {"55006", false},  // object_in_use
      {"53100", false},  // disk_full
      {"25006", false},  // read_only_sql_transaction
      {"42P01", false},  // undefined_table
      {"23505", false},  // unique_violation
      {"28P01", false},  // invalid_password
      {"", false},
  };
  for (const Case& one : cases) {
    ErrorResponse error;
    error.sqlstate = one.sqlstate;
    EXPECT_EQ(error.is_outage(), one.outage) << one.sqlstate;
  }
}

// What ran out of its time would do so again; what gave way to another may have its turn now.
TEST(ErrorClass, KnowsWhatMayBeAskedAgain) {
  struct Case {
    const char* sqlstate;
    bool retryable;
  };
  constexpr Case cases[] = {
      {"40001", true},  {"40P01", true},  {"57014", false}, {"55P03", false}, {"40000", false},
      {"40002", false}, {"40003", false}, {"57P01", false}, {"53300", false}, {"", false},
  };
  for (const Case& one : cases) {
    ErrorResponse error;
    error.sqlstate = one.sqlstate;
    EXPECT_EQ(error.is_retryable(), one.retryable) << one.sqlstate;
  }
}

// Then no query of the session is the cause.
TEST(ErrorClass, KnowsWhatEndsASessionFromOutside) {
  struct Case {
    const char *severity, *sqlstate;
    bool outside;
  };
  constexpr Case cases[] = {
      {"FATAL", "57P01", true},    // pg_terminate_backend(), a fast shutdown
      {"WARNING", "57P01", true},  // an immediate shutdown
      {"WARNING", "57P02", true},  // another backend has crashed
      {"FATAL", "57P03", false},   // no session has begun
      {"FATAL", "57P04", true},    // a standby's recovery: the database is dropped
      {"FATAL", "57P05", true},    // idle_session_timeout
      {"FATAL", "40001", true},    // conflict with recovery that the session must give way to
      {"ERROR", "40001", false},   // the statement alone
      {"FATAL", "53200", false},  {"PANIC", "XX000", false},
  };
  for (const Case& one : cases) {
    ErrorResponse error;
    error.severity = one.severity;
    error.sqlstate = one.sqlstate;
    EXPECT_EQ(error.is_ended_from_outside(), one.outside) << one.severity << ' ' << one.sqlstate;
  }
}

TEST(ErrorClass, KnowsAStatementThatWentStale) {
  struct Case {
    const char *sqlstate, *routine;
    bool stale;
  };
  constexpr Case cases[] = {
      {"26000", "FetchPreparedStatement", true},
      {"0A000", "RevalidateCachedQuery", true},  // cached plan must not change result type
      {"0A000", "transformSetOperationTree", false},
      {"42P01", "RevalidateCachedQuery", false},
      {"42P01", "parserOpenTable", false},
  };
  for (const Case& one : cases) {
    ErrorResponse error;
    error.sqlstate = one.sqlstate;
    error.routine = one.routine;
    EXPECT_EQ(error.is_stale_statement(), one.stale) << one.sqlstate << ' ' << one.routine;
  }
}

TEST(ErrorClass, KnowsAStatementThatIsNotWhereItWasPrepared) {
  struct Case {
    const char *sqlstate, *message;
    bool lost, duplicate;
  };
  constexpr Case cases[] = {
      {"26000", "prepared statement \"a\" does not exist", true, false},
      {"26000", "in another language", true, false},
      {"08P01", "prepared statement did not exist", true, false},
      {"08P01", "unsupported startup parameter: options", false, false},
      {"08P01", "the prepared statement", false, false},
      {"42P05", "prepared statement \"a\" already exists", false, true},
      {"0A000", "cached plan must not change result type", false, false},
  };
  for (const Case& one : cases) {
    ErrorResponse error;
    error.sqlstate = one.sqlstate;
    error.message = one.message;
    EXPECT_EQ(error.is_lost_statement(), one.lost) << one.message;
    EXPECT_EQ(error.is_duplicate_statement(), one.duplicate) << one.message;
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
