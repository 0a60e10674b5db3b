// What a pool tells about its connections: for the log and the metrics of whoever owns it. Calls
// come on the shard's thread.
#pragma once

#include <string_view>

#include "src/pg/error.h"

namespace ringpost::pg {

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void connected(std::string_view address, std::string_view server_version) = 0;
  // An attempt to connect has failed; called for the first of a row of failures, and when the
  // reason changes.
  virtual void connect_failed(std::string_view why) = 0;
  virtual void connection_lost(std::string_view why, size_t queries_in_flight) = 0;
  // One has ended as it is no longer needed, or another has taken its place: nothing was lost.
  virtual void connection_retired(std::string_view address, std::string_view why) {
    (void)address, (void)why;
  }
  virtual void notice(std::string_view severity, std::string_view message) = 0;
  // A statement could not be prepared, or its types are not what the program declares.
  virtual void statement_failed(std::string_view statement, std::string_view why) = 0;
  // Sessions do not keep their prepared statements, as behind a pooler: for a while each query
  // brings its own.
  virtual void statements_not_kept(std::string_view why) = 0;
};

}  // namespace ringpost::pg
