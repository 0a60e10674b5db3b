// Session: one client's connection to the stub, without its socket: bytes in, bytes out
// (PostgreSQL 18 documentation, 54.2 "Message Flow", protocol 3.0).
//
//     state      message                                    next
//     starting   SSLRequest, GSSENCRequest: 'N'             starting
//                CancelRequest: nothing, as no query waits  over
//                StartupMessage: whoever it is may come in  ready
//     ready      Query, or extended query, Flush            ready
//                an error in an extended query              failed
//     failed     Sync: ReadyForQuery                        ready
//                any other                                  failed
//     each       Terminate, or what is no message           over
//
// Prepared statements, portals, formats, Execute's limit of rows and transaction blocks are as
// PostgreSQL's; what is not as there: SET and the like are acknowledged and change nothing, types
// that Parse names are passed over, and SQL that the stub does not know is the error 0A000.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "loadtest/stub/message.h"
#include "loadtest/stub/statement.h"
#include "loadtest/stub/table.h"
#include "proto/wire/buffer.h"

namespace ringpost::stub {

class Session {
 public:
  // `table` outlives it. `process_id` is what the client is told of as its backend's.
  Session(const Table& table, int32_t process_id);

  enum class Next : uint8_t {
    wait,  // for more; what is in `out` goes with what comes after it
    send,  // what is in `out`: a Sync, Flush or Query has come, or the start
    end,   // the same, and close
  };
  // Takes what came, however it was cut, and appends the answers to `out`.
  Next take(std::string_view bytes, proto::wire::Buffer& out);

 private:
  struct Refusal {
    std::string_view sqlstate, message;
  };
  static const Refusal negative_limit, negative_offset;

  // What was bound: a statement, the form of its columns, the rows that it has yet to answer.
  struct Portal {
    Statement statement;
    uint32_t text = 0;       // columns, by bit, that were asked for as text
    uint32_t converted = 0;  // those of them whose text differs
    std::span<const Table::Row> users{};
    size_t rows = 0;
    const Refusal* refusal = nullptr;  // PostgreSQL's when it is executed
  };

  size_t take_messages(std::string_view input);
  size_t take_startup(std::string_view input);
  void start(std::string_view parameters, uint32_t version);
  void message(char type, std::string_view body);

  void parse(std::string_view body);
  void bind(std::string_view body);
  void describe(std::string_view body);
  void execute(std::string_view body);
  void close(std::string_view body);
  void sync();
  void query(std::string_view body);

  // Each of these is false after fail().
  bool ask(const Bind& bind, Portal& portal);
  bool find(const Bind::Value& id, Portal& portal);
  bool list(const Bind::Value& limit, const Bind::Value& offset, Portal& portal);
  bool number(const Bind::Value& value, int64_t otherwise, int64_t& number);
  bool allowed(const Statement& statement);
  void answer(Portal& portal, size_t most_rows);
  void answer_row(Portal& portal);
  std::string_view change(const Statement& statement);
  void answer_script(std::string_view script);

  const Statement* statement(std::string_view name);
  Portal* portal(std::string_view name);
  std::string_view value_of(std::string_view setting) const;

  // An error, after which messages are passed over until Sync. Returns false.
  bool fail(std::string_view sqlstate, std::string_view message);
  void violate(std::string_view message);

  const Table& table_;
  int32_t process_id_;
  std::string total_field_;  // the number of users, as a field of a DataRow
  std::string user_, application_name_;
  std::map<std::string, Statement, std::less<>> statements_;
  std::optional<Portal> unnamed_portal_;  // of each query, so not in the map
  std::map<std::string, Portal, std::less<>> portals_;
  bool started_ = false, failed_ = false;
  char transaction_ = 'I';  // as ReadyForQuery tells
  Next next_ = Next::wait;
  proto::wire::Buffer pending_;         // a message that has not all come
  proto::wire::Buffer* out_ = nullptr;  // take()'s, while it runs
};

}  // namespace ringpost::stub
