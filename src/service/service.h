// Service: what the object of a service on one shard derives from. It has the shard's pool, the
// deadline of requests, and what is answered when PostgreSQL brings no rows.
//
//     io::Task<void> Links::visits(std::string code, http::Reply reply) {
//       auto query = pool().query(count_visits, until(reply), code);
//       const auto rows = co_await query;
//       if (!rows) co_return refuse(rows.error(), count_visits, std::move(reply));
//       const auto row = rows->next();
//       if (!row) co_return send_not_found(reply);
//       send_object(reply, Status::ok, field<"visits">(row->visits));
//     }
//
// All of it runs on the shard's thread. The object outlives every request; what a handler is given
// lives as long as its coroutine, rows until that next suspends.
#pragma once

#include <cassert>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "proto/json/writer.h"
#include "src/http/reply.h"
#include "src/http/session.h"
#include "src/pg/pool.h"
#include "src/service/answers.h"
#include "src/service/app.h"

namespace ringpost::service {

class Service {
 public:
  explicit Service(const Environment& environment)
      : reactor_(environment.reactor),
        pool_(environment.pool),
        request_timeout_(environment.request_timeout) {}
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // What /readyz says: whether requests can be answered now. Without another one: whether
  // PostgreSQL answers a query; always, where there is no database.
  virtual io::Task<bool> ready(io::Until until);

 protected:
  ~Service() = default;

  // REQUIRES: the service has a database.
  pg::Pool& pool() const {
    assert(pool_ != nullptr);
    return *pool_;
  }
  io::Reactor& reactor() const { return reactor_; }

  // For the work on a request: REQUEST_TIMEOUT_MS after it had come, or when its session is given
  // up.
  io::Until until(const http::Reply& reply) const {
    return reply.session().until(reply.asked() + request_timeout_);
  }

  // No rows: 503 where asking again later may help, else 500 and a line in the log.
  void refuse(const pg::Error& error, const proto::pg::StatementDescription& statement,
              http::Reply reply);

  // Ends an answer of rows that has begun: 500 when they were `malformed` (see Rows), or its body
  // is not UTF-8. All that is not text of the database is ASCII in it.
  void end_rows(const proto::pg::StatementDescription& statement, bool malformed,
                const http::Reply::Draft& draft, http::Reply& reply);

  // An object of these fields (proto/json/field.h); 500 when a text is not UTF-8.
  template <proto::json::Name... names, class... T>
  void send_object(http::Reply& reply, proto::http::Status status,
                   proto::json::Field<names, T>... fields) {
    const auto draft = reply.begin(status, json_type, small_answer);
    proto::json::Writer(*draft.out, small_answer).object(fields...).commit();
    end_text(draft, reply);
  }

  // An array of what write(json, row) writes of each row; 500 when a text is not UTF-8.
  template <class Row, class Write>
  void send_rows(http::Reply& reply, const proto::pg::StatementDescription& statement,
                 proto::pg::Rows<Row>& rows, Write write) {
    const auto draft = reply.begin(proto::http::Status::ok, json_type, small_answer);
    {
      proto::json::Writer json(*draft.out, small_answer);
      json.raw("[");
      bool later = false;
      while (const std::optional<Row> row = rows.next()) {
        if (std::exchange(later, true)) json.raw(",");
        write(json, *row);
      }
      json.raw("]");
    }
    end_rows(statement, rows.malformed(), draft, reply);
  }

 private:
  void end_text(const http::Reply::Draft& draft, http::Reply& reply);

  io::Reactor& reactor_;
  pg::Pool* pool_;
  std::chrono::milliseconds request_timeout_;
};

}  // namespace ringpost::service
