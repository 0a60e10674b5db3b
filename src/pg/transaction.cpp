#include "src/pg/transaction.h"

namespace ringpost::pg {

namespace {

std::string begin_statement(const TransactionOptions& options) {
  std::string sql = "BEGIN";
  switch (options.isolation) {
    case Isolation::of_session:
      break;
    case Isolation::read_committed:
      sql += " ISOLATION LEVEL READ COMMITTED";
      break;
    case Isolation::repeatable_read:
      sql += " ISOLATION LEVEL REPEATABLE READ";
      break;
    case Isolation::serializable:
      sql += " ISOLATION LEVEL SERIALIZABLE";
      break;
  }
  if (options.read_only) sql += " READ ONLY";
  if (options.deferrable) sql += " DEFERRABLE";
  return sql;
}

}  // namespace

io::Task<Result<void>> Transaction::begin() {
  auto acquiring = lease_.acquire();
  Result<void> acquired = co_await acquiring;
  if (!acquired) co_return acquired;
  const Result<std::string> begun = co_await run(begin_statement(options_));
  if (begun) co_return Result<void>();
  lease_.give_back();
  co_return std::unexpected(begun.error());
}

io::Task<Result<void>> Transaction::commit() {
  const Result<std::string> done = co_await run("COMMIT");
  lease_.give_back();
  if (!done) co_return std::unexpected(done.error());
  if (*done != "COMMIT") co_return std::unexpected(Error{Error::Kind::rolled_back, nullptr, {}});
  co_return Result<void>();
}

io::Task<Result<void>> Transaction::rollback() {
  const Result<std::string> done = co_await run("ROLLBACK");
  lease_.give_back();
  if (!done) co_return std::unexpected(done.error());
  co_return Result<void>();
}

io::Task<Result<std::string>> Transaction::run(std::string sql) {
  const proto::pg::DynamicStatement statement(proto::pg::Access::write, std::move(sql));
  auto asking = query(statement);
  Result<proto::pg::DynamicRows> rows = co_await asking;
  if (!rows) co_return std::unexpected(std::move(rows.error()));
  co_return std::string(rows->command());
}

bool may_begin_anew(const Error& error) {
  return error.kind == Error::Kind::server && error.server->is_retryable();
}

}  // namespace ringpost::pg
