#include "src/app/app.h"

#include "src/app/routes.h"

namespace ringpost::app {

namespace {

class Users final : public service::App {
 public:
  const service::About& about() const override {
    static constexpr service::About about{
        .name = "ringpost",
        .version = RINGPOST_VERSION,
        .description = "a users API served from PostgreSQL by io_uring, one shard per core."};
    return about;
  }
  Statements statements() const override { return app::statements; }
  std::span<const std::string_view> routes() const override { return route_patterns; }
  std::unique_ptr<http::Handler> make_handler(
      const service::Environment& environment) const override {
    return std::make_unique<Routes>(environment);
  }
};

}  // namespace

std::unique_ptr<service::App> users() {
  return std::make_unique<Users>();
}

}  // namespace ringpost::app
