#include "src/pg/client.h"

#include <exception>
#include <utility>

#include "src/io/scope.h"
#include "src/pg/environment.h"

namespace ringpost::pg {

namespace {

constexpr unsigned buffer_count = 64, buffer_bytes = 32 * 1024;

class Silent final : public Observer {
  void connected(std::string_view, std::string_view) override {}
  void connect_failed(std::string_view) override {}
  void connection_lost(std::string_view, size_t) override {}
  void notice(std::string_view, std::string_view) override {}
  void statement_failed(std::string_view, std::string_view) override {}
  void statements_not_kept(std::string_view) override {}
};
Silent silent;

}  // namespace

std::expected<Options, std::string> options_for(std::string_view conninfo,
                                                std::string application_name) {
  auto read = proto::pg::parse_conninfo(conninfo, context_of_process(std::move(application_name)));
  if (!read) return std::unexpected(std::move(read.error()));
  Options options;
  options.max_connections = 4;
  options.conninfo = std::move(*read);
  if (const auto limit = options.conninfo.connect_timeout)  // a day is as good as no limit
    options.connect_timeout = *limit == limit->zero() ? std::chrono::hours(24) : *limit;
  return options;
}

Client::Client(Options options, Ledger::Statements statements, Observer* observer)
    : options_(std::move(options)),
      observer_(observer != nullptr ? *observer : silent),
      buffers_(reactor_.ring(), 0, buffer_count, buffer_bytes),
      spread_(options_.max_connections),
      pool_(reactor_, buffers_, options_, spread_, statements, observer_) {
  reactor_.add(buffers_);
}

void Client::run(const std::function<io::Task<void>(Client&)>& work) {
  std::exception_ptr thrown;
  reactor_.run(live(work, thrown));
  if (thrown) std::rethrow_exception(thrown);
}

// What is thrown leaves by `thrown`: the reactor has nobody to tell.
io::Task<void> Client::live(const std::function<io::Task<void>(Client&)>& work,
                            std::exception_ptr& thrown) {
  io::Scope scope(reactor_);
  scope.spawn(pool_.run());
  try {
    co_await work(*this);
  } catch (...) {
    thrown = std::current_exception();
  }
  pool_.stop();
  co_await scope.join();
}

}  // namespace ringpost::pg
