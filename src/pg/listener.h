// Listener: what NOTIFY sends to a list of channels, over a session of its own that is opened again
// when it is lost.
//
//     pg::Listener listener(reactor, buffers, options, {"users_changed"}, observer);
//     scope.spawn(listener.run());
//     for (;;) {
//       pg::Result<pg::Heard> heard = co_await listener.next(scope.until());
//       if (!heard) break;
//       if (heard->what == pg::Heard::What::notification) forget_cached(heard->payload);
//       else forget_all_cached();
//     }
//
// PostgreSQL keeps nothing for those who do not listen, so whoever keeps a copy of what it is told
// about must know when it may have missed something: `listening` says that a session begins (what
// was sent before it is unknown), `missed` that more came than `most_waiting` while nobody asked,
// and the oldest of it was dropped. The server is read from in any case: one that could not send
// would keep what it has for all sessions.
//
// The owner runs it as a child (run()), and it outlives all waits. stop() ends run(). A session
// that a network has forgotten is found by TCP's keepalives (connect.h).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/pg/pipeline.h"
#include "src/io/condition.h"
#include "src/pg/connect.h"
#include "src/pg/error.h"
#include "src/pg/observer.h"
#include "src/pg/options.h"
#include "src/pg/session.h"

namespace ringpost::pg {

struct Heard {
  enum class What : uint8_t { listening, missed, notification };
  What what = What::notification;
  // Of a notification: where and by which backend it was sent, and what with it.
  std::string channel, payload;
  int32_t process_id = 0;
  uint64_t count = 0;  // of those that were missed
};

class Listener {
 public:
  // All but the channels, which are names and no SQL, outlive the listener. Of the options it takes
  // those of the connection.
  Listener(io::Reactor& reactor, io::BufferGroup& buffers, const Options& options,
           std::vector<std::string> channels, Observer& observer, size_t most_waiting = 1024);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  io::Task<void> run();
  void stop() { stop_.request(); }

  // The next there is, in the order in which they came; one coroutine waits at a time. Errors:
  // timed_out; cancelled, also when the listener has been stopped.
  io::Task<Result<Heard>> next(io::Until until);

 private:
  // Until the session is lost; says why.
  io::Task<std::string> listen();
  void ask();
  void begin();
  std::optional<std::string> take();
  void hear(const proto::pg::Message& message);
  void put(Heard heard);

  io::Reactor& reactor_;
  const Options& options_;
  const std::vector<std::string> channels_;
  Observer& observer_;
  const size_t most_waiting_;
  Connector connector_;
  Session session_;
  proto::pg::Pipeline pipeline_;
  io::Cancellation stop_;
  bool listens_ = false;  // on all of its channels
  bool ended_ = false;
  std::deque<Heard> waiting_;
  uint64_t missed_ = 0;     // before the first that waits
  io::Condition has_next_;  // or has ended
};

}  // namespace ringpost::pg
