// Requests of simulated clients, each with what it has to be answered.
#pragma once

#include <cstdint>
#include <string>

#include "tests/simulation/faults.h"
#include "tests/simulation/random.h"
#include "tests/simulation/table.h"

namespace ringpost::simulation {

struct Request {
  std::string bytes;
  size_t head_size = 0;  // of `bytes`
  int status = 200;      // the best answer's; 0: any from 400 on, for what is no request
  std::string body;      // of that answer, to the byte; nothing is said of it when `status` is 0
  bool head_only = false;
  bool asks_database = false;  // so it may be answered 503 or 500 when that had trouble
  bool asks_readiness = false;
  bool ends = false;         // no further request is taken after it
  bool expects = false;      // its client waits for 100 before the body
  bool no_continue = false;  // and must not be told to go on
};

// One that a client may send: most are good.
Request make_request(Random& random, const Faults& faults, const Table& table);
// The user at `index`.
Request ask_user(const Table& table, size_t index);
Request ask_page(const Table& table, int64_t limit, int64_t offset);

}  // namespace ringpost::simulation
