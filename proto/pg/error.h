// ErrorResponse and NoticeResponse: the fields that say what happened (PostgreSQL 18
// documentation, 54.8 "Error and Notice Message Fields"), kept by value, because they outlive the
// bytes they came in.
#pragma once

#include <string>
#include <string_view>

namespace ringpost::proto::pg {

struct ErrorResponse {
  // Each by its field's letter. V: ERROR, FATAL, PANIC; WARNING, NOTICE, DEBUG, INFO, LOG.
  std::string severity;
  std::string sqlstate;                                      // C: five characters (appendix A)
  std::string message;                                       // M
  std::string detail;                                        // D
  std::string hint;                                          // H
  std::string position;                                      // P: in the query's text
  std::string where;                                         // W
  std::string schema, table, column, data_type, constraint;  // s t c d n
  // R: of the server's source; the one part of a message that no locale translates.
  std::string routine;

  // One line: `ERROR 42P01: relation "users" does not exist (hint: ...)`.
  std::string text() const;

  // The session ends with it.
  bool is_fatal() const { return severity == "FATAL" || severity == "PANIC"; }
  // The server can't serve now, and the same question may be answered later or by another session:
  // class 08 (connection exception), 57P01 to 57P05 (shutdown, crash, starting up), 53300 (too many
  // connections), 53200 (out of memory); 57014 (cancelled, by statement_timeout for one) and 55P03
  // (lock_timeout), which say that its time was too short; and all that is_retryable().
  bool is_outage() const;
  // The statement gave way to others, and may be asked again at once: 40001 (serialization failure,
  // also a standby's conflict with recovery) and 40P01 (deadlock), as 13.5 "Serialization Failure
  // Handling" has it.
  bool is_retryable() const;
  // The session is ended from outside, whatever it was asked: by pg_terminate_backend() or a
  // shutdown (57P01), another backend's crash (57P02; this, and an immediate shutdown, is told by a
  // warning), a standby's recovery (57P04, and 40001 that is fatal), as it was idle (57P05).
  bool is_ended_from_outside() const;
  // A write, where the session may only read: 25006. Its server is a standby by now, for one.
  bool is_read_only_transaction() const { return sqlstate == "25006"; }
  // Ended by a CancelRequest, by statement_timeout or by an administrator: 57014.
  bool is_query_canceled() const { return sqlstate == "57014"; }
  // The server is starting up, shutting down or in recovery: 57P03. Another host may serve.
  bool is_cannot_connect_now() const { return sqlstate == "57P03"; }
  bool is_wrong_password() const { return sqlstate == "28P01"; }
  // The prepared statement is no longer what it was: it was deallocated (26000), or its tables
  // changed (0A000).
  bool is_stale_statement() const;
  // It was not there, or one of its name was already (42P05): who passes our messages on shares a
  // server's session among clients. PgBouncer says so in words alone (08P01), and ends the session.
  bool is_lost_statement() const;
  bool is_duplicate_statement() const { return sqlstate == "42P05"; }
};

// Of a message body. A field that is missing or malformed stays empty.
ErrorResponse decode_error(std::string_view body);

// Whether the body's severity ends the session: decided without copying.
bool is_fatal(std::string_view body);

}  // namespace ringpost::proto::pg
