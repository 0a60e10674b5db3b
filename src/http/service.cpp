#include "src/http/service.h"

#include "proto/http/date.h"

namespace ringpost::http {

Service::Service(io::Reactor& reactor, io::BufferGroup& buffers, const Limits& limits)
    : reactor_(reactor), buffers_(buffers), limits_(limits), parser_(limits.head) {}

bool Service::takes_body(const proto::http::Request& /*request*/) {
  return true;
}

std::string_view Service::date() {
  if (reactor_.unix_seconds() != date_of_) {
    date_of_ = reactor_.unix_seconds();
    proto::http::write_date(date_, date_of_);
  }
  return {date_, sizeof date_};
}

}  // namespace ringpost::http
