#include "tests/simulation/steady.h"

#include <deque>
#include <memory>
#include <optional>
#include <string_view>

#include "src/app/app.h"
#include "src/ops/log.h"
#include "src/service/shard.h"
#include "tests/simulation/kernel.h"
#include "tests/simulation/postgres.h"

namespace ringpost::simulation {

namespace {

constexpr size_t users = 260;

// As curl sends it.
std::string get(const std::string& target) {
  return "GET " + target +
         " HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";
}

pg::Options options() {
  pg::Options options;
  proto::pg::Host host;
  host.name = "/run/postgresql";
  options.conninfo.hosts = {host};
  options.conninfo.user = options.conninfo.dbname = "simulated";
  options.conninfo.sslmode = proto::pg::Conninfo::SslMode::disable;
  return options;
}

class Life {
 public:
  explicit Life(const Steady& plan)
      : plan_(plan), table_(users), postgres_(world_, table_), kernel_(world_, &postgres_) {
    ops::set_log_level(ops::Level::error);
    postgres_.least_cost = postgres_.most_cost = Time{};
    postgres_.most_sessions = 1;
    kernel_.latency = kernel_.remote_latency = Time{};
    control_fd_ = kernel_.event(0);
    listening_fd_ = kernel_.listen(262'144);
    for (size_t i = 0; i < plan.clients; ++i) clients_.emplace_back(*this);
    // The session with PostgreSQL is there by then.
    world_.at(100ms, [this] { begin_round(); });
  }

  void run() {
    const service::Config config;
    const pg::Options pg = options();
    pg::Spread spread(pg.max_connections);
    const auto app = app::users();
    service::Scrape scrape(*app, pg.conninfo.dbname, spread);
    service::Shard shard(*app, config, pg, spread, scrape, 0, {{listening_fd_}}, control_fd_);
    shard.run();
  }

 private:
  class Client final : public Side::Owner {
   public:
    explicit Client(Life& life)
        : life_(life), link_(std::make_shared<Link>(life.world_, 0, life.kernel_.latency)) {
      link_->client.owner = this;
      life.kernel_.arrive(life.listening_fd_, link_);
    }
    ~Client() { link_->client.owner = nullptr; }

    void ask(const Exchange& exchange) {
      body_ = "\r\n\r\n" + exchange.body;
      link_->client.write(exchange.request);
    }

    void changed(Side& side) override {
      const std::string_view answer = side.unread();
      if (side.at_end() || side.error() != 0) return side.close(false);
      if (!answer.ends_with(body_)) return;
      if (!answer.starts_with("HTTP/1.1 200 OK\r\n"))
        life_.world_.violated("an answer is no 200: " + std::string(answer));
      side.read(answer.size());
      life_.answered();
    }

   private:
    Life& life_;
    std::shared_ptr<Link> link_;
    std::string body_;  // awaited, with the head's end
  };

  void answered() {
    if (++answered_ % plan_.clients == 0) begin_round();
  }

  void begin_round() {
    const size_t round = answered_ / plan_.clients;
    if (round == plan_.rounds_before) plan_.begin();
    if (round == plan_.rounds_before + plan_.rounds) {
      plan_.end();
      postgres_.expect_the_end();
      return service::give_order(control_fd_, service::Order::drain);
    }
    size_t number = answered_;
    for (Client& client : clients_) client.ask(plan_.ask(table_, number++));
  }

  const Steady& plan_;
  const Table table_;
  World world_{1, Faults()};
  Postgres postgres_;
  Kernel kernel_;
  int control_fd_ = -1, listening_fd_ = -1;
  std::deque<Client> clients_;
  size_t answered_ = 0;
};

}  // namespace

Exchange lookup(const Table& table, size_t number) {
  const Table::User& user = table.user(number % table.size());
  return {get("/users/" + user.id), user.json};
}

Exchange page(const Table& table, size_t) {
  return {get("/users?limit=20"), table.page_json(20, 0)};
}

void Steady::run() const {
  Life life(*this);
  life.run();
}

}  // namespace ringpost::simulation
