// Sessions that answer each query with its own parameter: at once when a gate is open, or slowly.
#pragma once

#include <chrono>
#include <string>

#include "src/io/sleep.h"
#include "tests/pg/pool_client.h"

namespace ringpost::pg {

// Answers each query that comes with its own parameter, when the gate is open.
inline tests::Step answer_everything(Gate& gate) {
  return [&gate](tests::PgSession& session) -> io::Task<bool> {
    for (;;) {
      const std::string bind = co_await session.message(true);
      if (bind.empty() || bind == terminate) {
        session.close();
        co_return false;
      }
      const std::string execute = co_await session.message(true);
      const std::string closing = co_await session.message(true);
      if (bind[0] != 'B' || closing != sync) {
        session.complain("came " + printable(bind + execute + closing));
        co_return false;
      }
      bool going = co_await session.pause(gate);
      if (going) going = co_await session.send(answer(bind[bind.size() - 5]), 4096);
      if (!going) co_return false;
    }
  };
}

inline Script serving(Gate& gate) {
  return log_in_and_prepare() + Script{answer_everything(gate)};
}

inline Script serving_singly(Gate& gate) {
  return log_in_and_prepare_singly() + Script{answer_everything(gate)};
}

// One query at a time, each with some time of its own, until the client leaves.
inline tests::Step answer_slowly(std::chrono::milliseconds each) {
  return [each](tests::PgSession& session) -> io::Task<bool> {
    for (;;) {
      const std::string bind = co_await session.message(true);
      if (bind.empty() || bind == terminate) {
        session.close();
        co_return false;
      }
      const std::string execute = co_await session.message(true);
      const std::string closing = co_await session.message(true);
      if (closing.empty()) co_return false;
      co_await io::Sleep(session.reactor(), each, nullptr);
      const bool going = co_await session.send(answer(bind[bind.size() - 5]), 4096);
      if (!going) co_return false;
    }
  };
}

}  // namespace ringpost::pg
