// AccessLines: the access log of one shard: a line for each request, in the log's format. Those of
// a turn leave together, for the thread that writes them.
//
//     2026-01-31T08:00:00.123Z level=info event=request method=GET path=/users/1 status=200
//       duration_ms=0.412 bytes=187 peer=192.0.2.1 request_id=0f3a... trace_id=...
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "src/http/access_log.h"
#include "src/io/reactor.h"
#include "src/ops/log_format.h"

namespace ringpost::service {

class AccessLines final : public http::AccessLog, private io::Reactor::Flush {
 public:
  // One request in `every` (at least 1), and those that failed. `seed`: for the ids of requests
  // that bring none.
  AccessLines(io::Reactor& reactor, ops::LogFormat format, uint64_t every, uint64_t seed)
      : AccessLog(every), reactor_(reactor), format_(format), next_id_(seed) {}

  void write(const http::Access& access) override;

 private:
  void flush() override;
  std::string_view time();

  io::Reactor& reactor_;
  const ops::LogFormat format_;
  uint64_t next_id_;
  std::string lines_;
  // "2026-01-31T08:00:00.123Z", of the second that is noted.
  int64_t second_ = -1;
  char time_[32] = {};
};

// The same without a clock and an owner: what is behind the time. Ends with a newline.
void append_access(std::string& out, ops::LogFormat format, std::string_view time,
                   const http::Access& access, std::string_view request_id);

}  // namespace ringpost::service
