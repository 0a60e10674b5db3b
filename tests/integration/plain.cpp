// A service without a database: what comes in pieces and goes out in pieces. Run by links_test.py.
#include "src/service/run.h"

using namespace ringpost;
using proto::http::Status;

class Plain final : public service::Service {
 public:
  static constexpr service::About about{.name = "plain",
                                        .version = "1.0.0",
                                        .description = "bodies and answers in pieces.",
                                        .database = false,
                                        .title = "Plain",
                                        .api_version = "1.0.0",
                                        .api_description = "Echoes, and counts."};
  using Service::Service;

  io::Task<void> echo(http::BodyStream body, http::Reply reply) {
    const io::Until by = until(reply);
    http::StreamedReply answer(std::move(reply), Status::ok, "application/octet-stream");
    for (;;) {
      auto reading = body.read(by);
      const auto piece = co_await std::move(reading);
      if (!piece) co_return;
      if (piece->empty()) break;
      auto writing = answer.write(*piece, by);
      const io::Result<void> written = co_await std::move(writing);
      if (!written) co_return;
    }
    auto ending = answer.end(by);
    co_await std::move(ending);
  }

  // Lines from 1 to `last`.
  io::Task<void> count(int64_t last, http::Reply reply) {
    const io::Until by = until(reply);
    http::StreamedReply answer(std::move(reply), Status::ok, "text/plain");
    for (int64_t number = 1; number <= last; ++number) {
      const std::string line = std::to_string(number) + "\n";
      auto writing = answer.write(line, by);
      const io::Result<void> written = co_await std::move(writing);
      if (!written) co_return;
    }
    auto ending = answer.end(by);
    co_await std::move(ending);
  }

  static constexpr auto routes = std::tuple{
      service::put<"/echo", &Plain::echo>({.id = "echo", .summary = "The same"},
                                          service::streamed_body({.type = "text/plain"})),
      service::get<"/count", &Plain::count>(
          {.id = "count", .summary = "Numbers"},
          service::in_query<"last">(service::Integer{.most = 100'000})),
      service::options<"/count">()};
};

int main(int argc, char** argv) {
  return service::run<Plain>(argc, argv);
}
