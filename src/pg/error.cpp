#include "src/pg/error.h"

#include <utility>

namespace ringpost::pg {

std::string Error::message() const {
  switch (kind) {
    case Kind::unavailable:
      return detail.empty() ? "no connection to PostgreSQL"
                            : "no connection to PostgreSQL: " + detail;
    case Kind::timed_out:
      return "PostgreSQL did not answer in time";
    case Kind::overloaded:
      return "too many queries wait for a connection";
    case Kind::cancelled:
      return "cancelled";
    case Kind::server:
      return server->text();
    case Kind::rolled_back:
      return "the transaction had failed: its COMMIT has rolled it back";
    case Kind::mismatch:
    case Kind::too_large:
      break;
  }
  return detail;
}

Error unavailable(std::string why) {
  return {.kind = Error::Kind::unavailable, .server = nullptr, .detail = std::move(why)};
}

Error undecodable(const proto::pg::StatementDescription& statement) {
  return {
      .kind = Error::Kind::mismatch,
      .server = nullptr,
      .detail =
          "statement " + std::string(statement.name) +
          ": a row has a NULL, an integer or a number of columns that its declaration can't hold"};
}

Error not_utf8(const proto::pg::StatementDescription& statement) {
  return {
      .kind = Error::Kind::mismatch,
      .server = nullptr,
      .detail = "statement " + std::string(statement.name) + ": a row has text that is not UTF-8"};
}

bool Error::outage() const {
  switch (kind) {
    case Kind::unavailable:
    case Kind::timed_out:
    case Kind::overloaded:
    case Kind::cancelled:
      return true;
    case Kind::server:
      return server->is_outage();
    case Kind::rolled_back:
    case Kind::mismatch:
    case Kind::too_large:
      break;
  }
  return false;
}

}  // namespace ringpost::pg
