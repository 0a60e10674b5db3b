// Why a query brought no rows. Views and ownership: an Error owns what it says.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "proto/pg/error.h"
#include "proto/pg/statement.h"

namespace ringpost::pg {

struct Error {
  enum class Kind {
    unavailable,  // no connection to PostgreSQL could be had or kept within the deadline
    timed_out,    // the query was sent; no answer within the deadline
    overloaded,   // too many queries wait already
    cancelled,    // the caller's scope was cancelled
    server,       // PostgreSQL answered with an error: `server` has it
    mismatch,  // the statement's types are not what the program declares, or a row can't be decoded
    rolled_back,  // a transaction that had failed was to be committed: nothing of it was done
    too_large,    // the answer is larger than the limit, or the parameters than PostgreSQL's
  };
  Kind kind;
  std::shared_ptr<const proto::pg::ErrorResponse> server;
  std::string detail;

  // One line for a log.
  std::string message() const;
  // Whether asking again later may succeed: what HTTP calls 503, and not 500.
  bool outage() const;
};

// Of kind unavailable.
Error unavailable(std::string why);

// A row of `statement` is not what the program declares: a NULL where there can be none.
Error undecodable(const proto::pg::StatementDescription& statement);

// A row of `statement` has text that is not UTF-8, although the session asked for it. Of a database
// in UTF-8 PostgreSQL sends what is stored without another look, a pooler may have set another
// encoding, and not all that speaks the protocol is PostgreSQL.
Error not_utf8(const proto::pg::StatementDescription& statement);

template <class T>
using Result = std::expected<T, Error>;

}  // namespace ringpost::pg
