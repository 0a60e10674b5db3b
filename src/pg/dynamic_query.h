// DynamicQuery: one execution of a statement made at run time, awaited.
//
//     DynamicStatement statement(Access::read, "select count(*) from " + quote_identifier(table));
//     auto query = pool.query(statement, until);
//     pg::Result<proto::pg::DynamicRows> rows = co_await query;
//
// The statement outlives the query, which lives in the awaiting frame. The rows' views live until
// the coroutine next suspends. The server parses it each time, in the same round trip: what is
// asked often is declared (proto/pg/statement.h).
#pragma once

#include "proto/pg/dynamic_rows.h"
#include "proto/pg/dynamic_statement.h"
#include "src/pg/query.h"

namespace ringpost::pg {

namespace detail {
// Before QueryBase, which refers to it.
struct Described {
  proto::pg::StatementDescription description;
};
}  // namespace detail

class [[nodiscard]] DynamicQuery final : private detail::Described, private QueryBase {
 public:
  DynamicQuery(Executor& executor, io::Until until, const proto::pg::DynamicStatement& statement)
      : Described{statement.description()},
        QueryBase(executor.reactor(), until, Described::description, true),
        executor_(executor),
        made_(statement) {}

  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) {
    return made_.fits() ? executor_.execute(*this, awaiter) : refuse_too_large();
  }
  Result<proto::pg::DynamicRows> await_resume();

 private:
  void encode(proto::wire::Buffer& out, std::string_view) const override { made_.encode_bind(out); }

  Executor& executor_;
  const proto::pg::DynamicStatement& made_;
};

}  // namespace ringpost::pg
