// Query: one execution of a prepared statement, awaited.
//
//     auto query = pool.query(find_user, io::Until{reactor.now() + 500ms}, id);
//     pg::Result<proto::pg::Rows<User>> rows = co_await query;
//     if (!rows) co_return std::unexpected(rows.error());
//     while (const std::optional<User> user = rows->next()) use(*user);
//
// The rows are read where they were received: they and their views live until the coroutine next
// suspends. The Query lives in the awaiting frame; parameters are kept by value in it, and what
// they view lives as long. One that ends early (deadline, cancellation) is forgotten by its
// connection, which drains the answer.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <tuple>
#include <utility>

#include "proto/pg/pipeline.h"
#include "proto/pg/statement.h"
#include "proto/wire/buffer.h"
#include "src/io/wait.h"
#include "src/pg/error.h"
#include "src/pg/spread.h"

namespace ringpost::pg {

class Connection;
class Lease;
class Pool;

// What pool and connection need to know of a query: not its types.
class QueryBase : public io::Wait, public io::ListNode<QueryBase> {
 public:
  const proto::pg::StatementDescription& statement() const { return statement_; }

 protected:
  QueryBase(Pool& pool, io::Until until, const proto::pg::StatementDescription& statement);
  ~QueryBase() = default;

  // Each hands the query to the pool, or to the connection that was leased for it; false when it
  // ended at once. Its statement is one of the pool's, or was made at run time.
  bool submit(std::coroutine_handle<> awaiter);
  bool submit_made_now(std::coroutine_handle<> awaiter);
  bool submit_to(Lease& lease, std::coroutine_handle<> awaiter);
  bool submit_made_now_to(Lease& lease, std::coroutine_handle<> awaiter);
  // Ends the query, which can't be asked; false.
  bool refuse(Error::Kind kind, const char* why);
  bool refuse_unknown();
  bool refuse_too_large();
  // What came of it. The answer lives, as its views, until the coroutine next suspends.
  Result<const proto::pg::Pipeline::Answer*> outcome_of_query();

 private:
  friend class Connection;
  friend class Pool;

  // Appends Bind and Execute, for the statement that the server knows by `name`.
  virtual void encode(proto::wire::Buffer& out, std::string_view name) const = 0;
  void abandon(Outcome why) final;

  bool hand_to(Lease& lease, size_t index, std::coroutine_handle<> awaiter);
  // What it is when its deadline has come.
  Error::Kind late() const { return sent_ ? Error::Kind::timed_out : Error::Kind::unavailable; }

  // Each ends the query; the coroutine runs inside the call (succeed) or later in this turn (fail).
  void succeed(const proto::pg::Pipeline::Answer& answer);
  void fail(Error error);

  Pool& pool_;
  const proto::pg::StatementDescription& statement_;
  const proto::pg::Pipeline::Answer* answer_ = nullptr;
  std::optional<Error> error_;
  // Where it is in flight, and its place in that connection's pipeline.
  Connection* connection_ = nullptr;
  uint64_t number_ = 0;
  io::Time asked_;
  size_t index_ = 0;  // of its statement
  Kind kind_ = Kind::quick;
  bool sent_ = false;
  bool tried_again_ = false;    // it gave way, or was the suspect when its session was lost
  bool prepared_anew_ = false;  // in this session, as its statement was stale
  bool unnamed_ = false;        // sent with the unnamed statement, of its own group
  bool alone_ = false;          // shares its Sync with none
  bool leased_ = false;         // of that connection, and no other: never asked again
  bool made_now_ = false;       // its statement is none of the pool's
};

// Of a statement whose types are known, wherever it is asked.
template <class Row, class... Parameters>
class TypedQuery : public QueryBase {
 public:
  bool await_ready() const { return false; }
  Result<proto::pg::Rows<Row>> await_resume() {
    Result<const proto::pg::Pipeline::Answer*> answer = outcome_of_query();
    if (!answer) return std::unexpected(std::move(answer.error()));
    return proto::pg::Rows<Row>((*answer)->rows, (*answer)->command_tag);
  }

 protected:
  TypedQuery(Pool& pool, const proto::pg::Statement<Row(Parameters...)>& statement, io::Until until,
             Parameters... parameters)
      : QueryBase(pool, until, statement),
        typed_(statement),
        parameters_(std::move(parameters)...) {}
  ~TypedQuery() = default;

  bool fits() const {
    return std::apply([&](const Parameters&... each) { return typed_.fits(each...); }, parameters_);
  }

 private:
  void encode(proto::wire::Buffer& out, std::string_view name) const override {
    [[maybe_unused]] const bool fitted = std::apply(
        [&](const Parameters&... each) { return typed_.encode_bind_as(name, out, each...); },
        parameters_);
    assert(fitted);
  }

  const proto::pg::Statement<Row(Parameters...)>& typed_;
  std::tuple<Parameters...> parameters_;
};

// Made by Pool::query.
template <class Row, class... Parameters>
class [[nodiscard]] Query final : public TypedQuery<Row, Parameters...> {
 public:
  using Base = TypedQuery<Row, Parameters...>;
  Query(Pool& pool, const proto::pg::Statement<Row(Parameters...)>& statement, io::Until until,
        Parameters... parameters)
      : Base(pool, statement, until, std::move(parameters)...) {}

  bool await_suspend(std::coroutine_handle<> awaiter) {
    return this->fits() ? this->submit(awaiter) : this->refuse_too_large();
  }
};

}  // namespace ringpost::pg
