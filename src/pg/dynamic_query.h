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

class [[nodiscard]] DynamicQuery final : private detail::Described, public QueryBase {
 public:
  // By the connection of `lease`, or, where it is null, of the pool.
  DynamicQuery(Pool& pool, Lease* lease, io::Until until,
               const proto::pg::DynamicStatement& statement)
      : Described{statement.description()},
        QueryBase(pool, until, Described::description),
        made_(statement),
        lease_(lease) {}

  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) {
    if (!made_.fits()) return refuse_too_large();
    return lease_ != nullptr ? submit_made_now_to(*lease_, awaiter) : submit_made_now(awaiter);
  }
  Result<proto::pg::DynamicRows> await_resume();

 private:
  void encode(proto::wire::Buffer& out, std::string_view) const override { made_.encode_bind(out); }

  const proto::pg::DynamicStatement& made_;
  Lease* lease_;
};

}  // namespace ringpost::pg
