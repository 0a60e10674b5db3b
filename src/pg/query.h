// Query: one execution of a prepared statement, awaited.
//
//     auto query = pool.query(find_user, io::Until{reactor.now() + 500ms}, id);
//     pg::Result<proto::pg::Rows<User>> rows = co_await query;
//     if (!rows) co_return std::unexpected(rows.error());
//     while (const std::optional<User> user = rows->next()) use(*user);
//
// The rows are read where they were received: they and their views live until the coroutine next
// suspends. The Query lives in the awaiting frame; parameters are kept by value in it, and what
// they view lives as long. One that ends early (deadline, cancellation) is forgotten by whoever has
// it; a connection drains the answer.
//
// A query knows none of those it passes through: an Executor takes it, and until it ends it has a
// holder, a pool's line or a connection.
#pragma once

#include <cassert>
#include <coroutine>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "proto/pg/pipeline.h"
#include "proto/pg/statement.h"
#include "proto/wire/buffer.h"
#include "src/io/list.h"
#include "src/io/wait.h"
#include "src/pg/error.h"
#include "src/pg/spread.h"

namespace ringpost::pg {

class QueryBase;

// What executes queries: a pool, wherever there is room, or a lease, on its connection.
class Executor {
 public:
  explicit Executor(io::Reactor& reactor) : reactor_(reactor) {}
  io::Reactor& reactor() const { return reactor_; }

  // Suspends `awaiter` until the query ends; false when it has ended at once.
  virtual bool execute(QueryBase& query, std::coroutine_handle<> awaiter) = 0;

 protected:
  ~Executor() = default;

 private:
  io::Reactor& reactor_;
};

// A query without its types, as executors and holders have it.
class QueryBase : public io::Wait, public io::ListNode<QueryBase> {
 public:
  class Holder {
   public:
    // Its time is up, or it was cancelled: the holder has it no more, and says what it knows of why
    // it was not answered.
    virtual std::string forget(QueryBase& query, Error::Kind why) = 0;

   protected:
    ~Holder() = default;
  };

  // What those note of it that it passes through.
  struct Notes {
    Holder* holder = nullptr;
    uint64_t number = 0;  // its place in the pipeline of the connection that has it
    io::Time asked;
    size_t index = 0;  // of its statement (ledger.h)
    Kind kind = Kind::quick;
    proto::pg::Widths widths = proto::pg::Widths::declared;  // of integers in its rows
    bool sent = false;
    bool tried_again = false;    // it gave way, or was the suspect when its session was lost
    bool prepared_anew = false;  // in this session, as its statement was stale
    bool unnamed = false;        // sent with the unnamed statement, of its own group
    bool alone = false;          // shares its Sync with none
    bool leased = false;         // of its connection, and no other: never asked again
  };

  const proto::pg::StatementDescription& statement() const { return statement_; }
  // Its statement is none of the pool's, but was made at run time.
  bool made_now() const { return made_now_; }
  // Appends Bind and Execute, for the statement that the server knows by `name`.
  virtual void encode(proto::wire::Buffer& out, std::string_view name) const = 0;

  // For its executor. It ends without having been suspended; false.
  bool refuse(Error error);
  using Wait::suspend;
  // Each ends the query; the coroutine runs inside the call (succeed) or later in this turn (fail).
  void succeed(const proto::pg::Pipeline::Answer& answer);
  void fail(Error error);

  Notes notes;

 protected:
  QueryBase(io::Reactor& reactor, io::Until until, const proto::pg::StatementDescription& statement,
            bool made_now)
      : Wait(reactor, until), statement_(statement), made_now_(made_now) {}
  ~QueryBase() = default;

  bool refuse_too_large();
  // What came of it. The answer lives, as its views, until the coroutine next suspends.
  Result<const proto::pg::Pipeline::Answer*> outcome_of_query();

 private:
  void abandon(Outcome why) final;
  // What it is when its time is up.
  Error::Kind late(Outcome why) const;

  const proto::pg::StatementDescription& statement_;
  const proto::pg::Pipeline::Answer* answer_ = nullptr;
  std::optional<Error> error_;
  bool made_now_;
};

// Of a statement whose types are known. Made by Pool::query and Transaction::query.
template <class Row, class... Parameters>
class [[nodiscard]] Query final : private QueryBase {
 public:
  Query(Executor& executor, const proto::pg::Statement<Row(Parameters...)>& statement,
        io::Until until, Parameters... parameters)
      : QueryBase(executor.reactor(), until, statement, false),
        executor_(executor),
        typed_(statement),
        parameters_(std::move(parameters)...) {}

  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) {
    const bool fits =
        std::apply([&](const Parameters&... each) { return typed_.fits(each...); }, parameters_);
    return fits ? executor_.execute(*this, awaiter) : refuse_too_large();
  }
  Result<proto::pg::Rows<Row>> await_resume() {
    Result<const proto::pg::Pipeline::Answer*> answer = outcome_of_query();
    if (!answer) return std::unexpected(std::move(answer.error()));
    return proto::pg::Rows<Row>((*answer)->rows, (*answer)->command_tag, notes.widths);
  }

 private:
  void encode(proto::wire::Buffer& out, std::string_view name) const override {
    [[maybe_unused]] const bool fitted = std::apply(
        [&](const Parameters&... each) { return typed_.encode_bind_as(name, out, each...); },
        parameters_);
    assert(fitted);
  }

  Executor& executor_;
  const proto::pg::Statement<Row(Parameters...)>& typed_;
  std::tuple<Parameters...> parameters_;
};

}  // namespace ringpost::pg
