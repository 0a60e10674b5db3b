#include "src/http/context.h"

#include "proto/http/date.h"

namespace ringpost::http {

Context::Context(io::Reactor& reactor, io::BufferGroup& buffers, const Limits& limits,
                 Handler& handler, AccessLog* access_log)
    : reactor_(reactor),
      buffers_(buffers),
      limits_(limits),
      drain_grace_(limits.drain_grace),
      handler_(handler),
      access_log_(access_log),
      budget_(reactor, limits.answer_memory),
      metrics_(handler.routes()),
      whole_heads_(limits.head) {}

std::string_view Context::date() {
  if (reactor_.unix_seconds() != date_of_) {
    date_of_ = reactor_.unix_seconds();
    proto::http::write_date(date_, date_of_);
  }
  return {date_, sizeof date_};
}

}  // namespace ringpost::http
