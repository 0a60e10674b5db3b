// Query: one execution of a prepared statement, awaited.
//
//     const auto rows = co_await pool.query(find_user, session.until(deadline), id);
//
// brings Result<Rows<Row>>. The rows are read where they were received: they and their views live
// until the coroutine next suspends. The Query lives in the awaiting frame; parameters are kept by
// value in it, and what they view lives as long. One that ends early (deadline, cancellation) is
// forgotten by its connection, which drains the answer.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "proto/pg/statement.h"
#include "proto/wire/buffer.h"
#include "src/io/wait.h"
#include "src/pg/error.h"
#include "src/pg/spread.h"

namespace ringpost::pg {

class Connection;
class Pool;

// What pool and connection need to know of a query: not its types.
class QueryBase : public io::Wait, public io::ListNode<QueryBase> {
 public:
  const proto::pg::StatementDescription& statement() const { return statement_; }

 protected:
  QueryBase(Pool& pool, io::Until until, const proto::pg::StatementDescription& statement);
  ~QueryBase() = default;

  // Hands the query to the pool; false when it ended at once.
  bool submit(std::coroutine_handle<> awaiter);
  // Ends the query, which can't be asked; false.
  bool refuse(Error::Kind kind, const char* why);
  // What came of it; the rows' messages, or why there are none.
  Result<std::string_view> outcome_of_query();

 private:
  friend class Connection;
  friend class Pool;

  // Appends Bind and Execute.
  virtual void encode(proto::wire::Buffer& out) const = 0;
  void abandon(Outcome why) final;

  // What it is when its deadline has come.
  Error::Kind late() const { return sent_ ? Error::Kind::timed_out : Error::Kind::unavailable; }

  // Each ends the query; the coroutine runs inside the call (succeed) or later in this turn (fail).
  void succeed(std::string_view rows);
  void fail(Error error);

  Pool& pool_;
  const proto::pg::StatementDescription& statement_;
  std::string_view rows_;
  std::optional<Error> error_;
  // Where it is in flight, and its place in that connection's pipeline.
  Connection* connection_ = nullptr;
  uint64_t number_ = 0;
  io::Time asked_;
  size_t index_ = 0;  // of its statement
  Kind kind_ = Kind::quick;
  bool sent_ = false;
  bool tried_again_ = false;
  bool alone_ = false;  // shares its Sync with none
};

template <class Row, class... Parameters>
class [[nodiscard]] Query final : public QueryBase {
 public:
  Query(Pool& pool, const proto::pg::Statement<Row(Parameters...)>& statement, io::Until until,
        Parameters... parameters)
      : QueryBase(pool, until, statement),
        typed_(statement),
        parameters_(std::move(parameters)...) {}

  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) {
    const bool fits =
        std::apply([&](const Parameters&... each) { return typed_.fits(each...); }, parameters_);
    if (fits) return submit(awaiter);
    return refuse(Error::Kind::too_large,
                  "its parameters are larger than PostgreSQL's 1 GiB for a message");
  }
  Result<proto::pg::Rows<Row>> await_resume() {
    Result<std::string_view> rows = outcome_of_query();
    if (!rows) return std::unexpected(std::move(rows.error()));
    return proto::pg::Rows<Row>(*rows);
  }

 private:
  void encode(proto::wire::Buffer& out) const override {
    [[maybe_unused]] const bool fitted = std::apply(
        [&](const Parameters&... each) { return typed_.encode_bind(out, each...); }, parameters_);
    assert(fitted);
  }

  const proto::pg::Statement<Row(Parameters...)>& typed_;
  std::tuple<Parameters...> parameters_;
};

}  // namespace ringpost::pg
