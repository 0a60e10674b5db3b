// run<T>(): a service as a process. T is its object on each shard, and says what it is:
//
//     class Links final : public service::Service {
//      public:
//       static constexpr service::About about{.name = "links", ...};
//       static constexpr std::array<const proto::pg::StatementDescription*, 1>
//       statements{&find_link}; static constexpr std::array<service::Schema, 1> schemas{...};  //
//       may be left out struct Options {  // settings of its own, may be left out
//         uint64_t code_length = 7;
//         void add_to(service::Options& options);
//       };
//       explicit Links(const service::Environment& environment, const Options& options);
//       io::Task<void> visit(std::string code, http::Reply reply);
//       static constexpr auto routes = std::tuple{service::get<"/{code}", &Links::visit>(...)};
//     };
//     int main(int argc, char** argv) { return service::run<Links>(argc, argv); }
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "src/service/app.h"
#include "src/service/openapi.h"
#include "src/service/ping.h"
#include "src/service/process.h"
#include "src/service/router.h"
#include "src/service/service.h"

namespace ringpost::service {

namespace detail {

struct NoOptions {};
template <class T>
struct OptionsOf {
  using type = NoOptions;
};
template <class T>
  requires requires { typename T::Options; }
struct OptionsOf<T> {
  using type = T::Options;
};

template <class T>
consteval size_t count_own_statements() {
  if constexpr (requires { T::statements; })
    return std::size(T::statements);
  else
    return 0;
}

// All that the pool of T is asked for.
template <class T>
inline constexpr auto statements_of = [] {
  using Statement = const proto::pg::StatementDescription*;
  if constexpr (T::about.database) {
    std::array<Statement, count_own_statements<T>() + 1> all{};
    if constexpr (requires { T::statements; }) std::ranges::copy(T::statements, all.begin());
    all.back() = &ping;
    return all;
  } else {
    return std::array<Statement, 0>{};
  }
}();

}  // namespace detail

// What a service declares, by its class.
template <class T>
class AppOf final : public App {
 public:
  const service::About& about() const override { return T::about; }
  Statements statements() const override { return detail::statements_of<T>; }
  std::span<const std::string_view> routes() const override { return Table<T>::patterns; }
  void add_options(service::Options& options) override {
    if constexpr (requires { typename T::Options; }) options_.add_to(options);
  }
  std::unique_ptr<http::Handler> make_handler(const Environment& environment) const override {
    if constexpr (requires { typename T::Options; })
      return std::make_unique<Router<T>>(environment, document_, options_);
    else
      return std::make_unique<Router<T>>(environment, document_);
  }

 private:
  detail::OptionsOf<T>::type options_;
  const std::string document_ = openapi<T>();
};

template <class T>
int run(int argc, char** argv) {
  AppOf<T> app;
  return run(app, argc, argv);
}

}  // namespace ringpost::service
