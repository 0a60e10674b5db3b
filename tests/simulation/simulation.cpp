#include "tests/simulation/simulation.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <vector>

#include "src/app/app.h"
#include "src/ops/log.h"
#include "src/service/shard.h"
#include "tests/simulation/client.h"
#include "tests/simulation/kernel.h"
#include "tests/simulation/postgres.h"

namespace ringpost::ops {

// The log of a simulated shard is its trace: this takes the place of src/ops/log.cpp.
void log(Level, std::string_view event, std::initializer_list<Field> fields) {
  simulation::World* world = simulation::World::current;
  if (world == nullptr) return;
  world->note("log");
  if (world->verbose != 2) return;
  std::fprintf(stderr, "             %.*s", static_cast<int>(event.size()), event.data());
  for (const Field& field : fields)
    std::fprintf(stderr, " %.*s=%s", static_cast<int>(field.key.size()), field.key.data(),
                 field.value.c_str());
  std::fputc('\n', stderr);
}
void log_limited(Level level, std::string_view event, std::initializer_list<Field> fields) {
  log(level, event, fields);
}
void write_access(std::string) {}
LogFormat log_format() {
  return LogFormat::logfmt;
}

}  // namespace ringpost::ops

namespace ringpost::simulation {

namespace {

constexpr size_t users = 260;
// Given alone however small the budget is; and what estimates may be wrong by.
constexpr size_t largest_answer = 128 * 1024;
// Beyond the limits that a drain has.
constexpr Time slack = 2s;

Faults draw_faults(const Plan& plan, Random& random) {
  Faults faults(random);
  if (plan.faults != "all" && !faults.keep_only(plan.faults)) {
    std::fprintf(stderr, "simulate: FAULTS has a name that is none: %s\n", plan.faults.c_str());
    std::exit(2);
  }
  return faults;
}

std::chrono::milliseconds milliseconds(Random& random, int64_t least, int64_t most) {
  return std::chrono::milliseconds(random.between(least, most));
}

// The budget for answers, where the program has one: how much it is, or 0.
template <class Limits>
size_t draw_memory(Random& random, const Faults& faults, Limits& limits) {
  if constexpr (requires { limits.answer_memory; }) {
    if (faults.enabled(Fault::little_memory))
      limits.answer_memory = static_cast<size_t>(random.between(16'384, 1 << 20));
    return limits.answer_memory;
  }
  return 0;
}

service::Config draw_config(Random& random, const Faults& faults) {
  service::Config config;
  http::Limits& limits = config.http;
  limits.idle_timeout = milliseconds(random, 5'000, 75'000);
  limits.head_timeout = milliseconds(random, 1'000, 10'000);
  limits.body_timeout = milliseconds(random, 1'000, 30'000);
  limits.write_timeout = milliseconds(random, 1'000, 10'000);
  limits.linger_timeout = milliseconds(random, 500, 1'000);
  limits.linger_limit = 3 * limits.linger_timeout;
  if (random.chance(300'000)) limits.pipelined = static_cast<uint32_t>(random.between(1, 64));
  if (random.chance(300'000)) limits.unsent_bytes = static_cast<size_t>(random.between(0, 65'536));
  if (faults.enabled(Fault::few_connections))
    limits.connections = static_cast<size_t>(random.between(1, 20));
  if (random.chance(700'000))
    config.turn_wait = std::chrono::microseconds(random.between(0, 1'000));
  config.request_timeout = limits.room_timeout = milliseconds(random, 500, 2'000);
  config.ready_timeout = milliseconds(random, 200, 1'000);
  return config;
}

// A second server of the same rows, and what is made of there being two.
void draw_second_host(pg::Options& options, Random& random) {
  using proto::pg::Conninfo;
  proto::pg::Host first, second;
  first.name = "10.0.0.1";
  second.name = "10.0.0.2";
  options.conninfo.hosts = {first, second};
  if (random.chance(300'000)) options.conninfo.load_balance_hosts = Conninfo::LoadBalance::random;
  if (random.chance(500'000))
    options.conninfo.target_session_attrs = Conninfo::TargetSession::prefer_standby;
  options.hosts.first = milliseconds(random, 50, 500);
  options.hosts.last = milliseconds(random, 500, 2'000);
  options.hosts.other_role = milliseconds(random, 500, 5'000);
  options.hosts.settled = milliseconds(random, 100, 3'000);
}

pg::Options draw_options(Random& random) {
  pg::Options options;
  proto::pg::Host host;
  host.name = random.chance(500'000) ? "10.0.0.1" : "/run/postgresql";
  options.conninfo.hosts = {host};
  options.conninfo.user = options.conninfo.dbname = "simulated";
  options.conninfo.sslmode = proto::pg::Conninfo::SslMode::disable;
  options.max_connections = static_cast<uint32_t>(random.between(1, 4));
  options.min_connections = random.chance(200'000) ? 0 : 1;
  options.pipeline_depth = 1U << random.between(0, 8);
  // Its statements take 20 to 300 us: they share Syncs always, now and then, or not.
  options.shared_syncs = random.chance(800'000);
  options.group_size = static_cast<uint32_t>(random.between(1, 64));
  options.group_time = std::chrono::microseconds(random.between(100, 10'000));
  options.group_member_time = std::chrono::microseconds(random.between(50, 5'000));
  // Now and then within what one life takes.
  options.max_age = milliseconds(random, 200, random.chance(300'000) ? 5'000 : 1'800'000);
  options.idle_age = milliseconds(random, 50, random.chance(300'000) ? 2'000 : 300'000);
  options.unnamed_pause = milliseconds(random, 1, random.chance(500'000) ? 500 : 300'000);
  if (random.chance(300'000)) draw_second_host(options, random);
  return options;
}

service::ReceiveBuffers draw_buffers(Random& random, const Faults& faults) {
  service::ReceiveBuffers buffers;
  if (!faults.enabled(Fault::few_buffers)) return buffers;
  buffers.http_count = 1U << random.between(1, 4);
  buffers.http_bytes = static_cast<unsigned>(random.between(16, 2'048));
  buffers.pg_count = 1U << random.between(1, 3);
  buffers.pg_bytes = static_cast<unsigned>(random.between(16, 4'096));
  return buffers;
}

const Table& table() {
  static const Table instance(users);
  return instance;
}

}  // namespace

// What one life consists of, in the order in which it depends on each other.
class Life {
 public:
  explicit Life(const Plan& plan)
      : plan_(plan),
        start_(Random(plan.seed ^ 0x5eed5eed5eed5eed).next()),
        faults_(draw_faults(plan, start_)),
        world_(start_.next(), faults_),
        random_(start_.fork()),
        config_(draw_config(random_, world_.faults)),
        pg_(draw_options(random_)),
        buffers_(draw_buffers(random_, world_.faults)),
        postgres_(world_, table()),
        kernel_(world_, &postgres_),
        stage_{world_, kernel_, {&postgres_}, table(), config_} {
    world_.verbose = plan.verbose;
    if (pg_.conninfo.hosts.size() == 2) add_second();
    for (Postgres* server : stage_.servers) {
      server->old_age = pg_.max_age * 4 / 5;
      // Beside one that has fallen silent it is not trusted sooner.
      server->idle_age = std::min<Time>(pg_.idle_age, pg_.pipeline_time);
      // And one that looks whether it is up.
      server->most_sessions = pg_.max_connections + stage_.servers.size() - 1;
    }
    kernel_.latency = Time(random_.between(10'000, 1 << random_.between(17, 26)));
    // In small pieces only where each is soon there: else the network alone took all of a timeout.
    if (kernel_.latency < 300us && random_.chance(500'000))
      kernel_.segment = static_cast<size_t>(random_.between(100, 9'000));
    // It is near: of a far one each answer would be late by its way alone.
    kernel_.remote_latency = std::min<Time>(kernel_.latency, 2ms);
    // The largest page goes once more over the way, or as often as it has pieces.
    const size_t pieces = kernel_.segment == 0 ? 1 : 1 + 65'536 / kernel_.segment;
    stage_.query_time = 300us + static_cast<int64_t>(pieces) * kernel_.remote_latency +
                        2 * kernel_.remote_latency / pg_.pipeline_depth;
    kernel_.write_timeout = config_.http.write_timeout;
    kernel_.most_accepted =
        world_.faults.enabled(Fault::few_connections) ? config_.http.connections : 0;
    if (const size_t memory = draw_memory(random_, world_.faults, config_.http); memory != 0)
      kernel_.most_unread = memory + largest_answer;
    kernel_.drain_order = static_cast<uint64_t>(service::Order::drain);
    control_fd_ = kernel_.event(0);
    listening_fd_ = kernel_.listen(static_cast<int>(random_.between(4'096, 262'144)));
  }

  Outcome run() {
    plan_clients();
    for (Postgres* server : stage_.servers) server->plan_troubles(chaos_);
    if (second_) world_.at(Time(random_.between(0, chaos_.count())), [this] { change_roles(); });
    if (world_.faults.enabled(Fault::early_orders))
      world_.at(Time(random_.between(0, chaos_.count())), [this] { drain(); });
    world_.at(chaos_, [this] { calm_down(); });
    {
      pg::Spread spread(pg_.max_connections);
      const auto app = app::users();
      service::Scrape scrape(*app, pg_.conninfo.dbname, spread);
      std::optional<service::Shard> shard(std::in_place, *app, config_, pg_, spread, scrape, 0,
                                          service::ShardSockets{{listening_fd_}}, control_fd_,
                                          buffers_);
      shard->run();
      ended_ = true;
    }
    if (stage_.drained_at == Time::max())
      world_.violated("the shard has ended, and nobody told it to");
    // Terminate and FIN are on their way; nothing else is.
    kernel_.check_nothing_left(1);
    kernel_.close(control_fd_, "close");
    world_.run_until(world_.now() + 1min);
    if (stage_.attentive != 0)
      world_.violated(std::to_string(stage_.attentive) +
                      " clients do not know that the shard has ended");
    Outcome outcome;
    outcome.counts = world_.counts;
    outcome.trace_hash = world_.trace_hash();
    outcome.virtual_seconds = std::chrono::duration<double>(world_.now()).count();
    outcome.faults = world_.faults.names();
    outcome.clients = clients_;
    outcome.most_requests = most_requests_;
    return outcome;
  }

 private:
  void plan_clients() {
    chaos_ = Time(random_.between(1'000'000'000, 20'000'000'000));
    const size_t drawn = static_cast<size_t>(random_.chance(300'000) ? 1 + random_.skewed(300)
                                                                     : random_.between(10, 100));
    Random random = random_.fork();
    for (size_t i = 0; i < drawn; ++i) {
      Random own = random.fork();  // leaving out others does not change a client
      if (!plan_.clients.empty() && !plan_.clients.contains(i)) continue;
      clients_.insert(i);
      const Time when = Time(own.between(0, chaos_.count()));
      world_.at(when, [this, own, i]() mutable { add_client(own, static_cast<int64_t>(i)); });
    }
  }

  void add_second() {
    second_.emplace(world_, table());
    kernel_.second_remote = &*second_;
    stage_.servers.push_back(&*second_);
    postgres_.be_one_of_two(false);
    second_->be_one_of_two(true);
  }

  void change_roles() {
    world_.note("the standby is promoted");
    postgres_.become(true);
    second_->become(false);
  }

  void add_client(Random random, int64_t number) {
    if (stage_.drained_at != Time::max()) return;
    const Nature nature = draw_nature(random, world_.faults);
    std::vector<Request> requests;
    const size_t count = std::min(nature.requests, plan_.requests);
    most_requests_ = std::max(most_requests_, count);
    while (requests.size() < count) {
      requests.push_back(nature.greedy ? ask_page(table(), 200, 0)
                                       : make_request(random, world_.faults, table()));
      // Some send more behind what ends the connection.
      if (requests.back().ends && random.chance(700'000)) break;
    }
    std::make_shared<Client>(stage_, nature, number, std::move(requests))
        ->start(listening_fd_, kernel_.latency, kernel_.segment);
  }

  // Nothing goes wrong any more. When all clients have ended, a good one must be served at once.
  void calm_down() {
    world_.note("faults stop");
    world_.faults.stop();
    await_end_of_clients();
  }

  void await_end_of_clients() {
    if (stage_.drained_at != Time::max()) return;
    if (stage_.open != 0) {
      if (world_.now() > chaos_ + 30min)
        world_.violated(std::to_string(stage_.open) + " clients have not ended in half an hour");
      world_.after(500ms, [this] { await_end_of_clients(); });
      return;
    }
    // A session whose server is gone without a word is found out by those that ask, one at a time.
    world_.after(world_.faults.enabled(Fault::pg_freezes) ? 40s : 15s, [this] { ask_once_more(); });
    if (world_.faults.enabled(Fault::pg_freezes))
      for (int i = 0; i < 20; ++i) world_.after(i * 2s, [this, i] { scout(i); });
  }

  void scout(int number) {
    if (stage_.drained_at != Time::max()) return;
    std::make_shared<Client>(stage_, Nature(), 1'000'001 + number,
                             std::vector<Request>{ask_user(table(), 0)})
        ->start(listening_fd_, kernel_.latency, kernel_.segment);
  }

  void ask_once_more() {
    if (stage_.drained_at != Time::max()) return;
    std::vector<Request> requests;
    for (size_t i = 0; i < 3; ++i) requests.push_back(ask_user(table(), i));
    Nature nature;
    nature.requests = requests.size();
    last_ = std::make_shared<Client>(stage_, nature, 1'000'000, std::move(requests));
    last_->start(listening_fd_, kernel_.latency, kernel_.segment);
    world_.after(5s, [this] {
      const bool well = last_->ended() && last_->all_well();
      // Which session is asked is the pool's choice: each may be one that nobody has asked yet.
      if (!well && last_->ended() && world_.faults.enabled(Fault::pg_freezes) &&
          ++asked_again_ < pg_.max_connections)
        return ask_once_more();
      if (stage_.drained_at == Time::max() && !well)
        world_.violated("the server has not recovered: a good client has " +
                        std::to_string(last_->answered()) + " of 3 answers 5 s after all faults");
      drain();
    });
  }

  void drain() {
    if (stage_.drained_at != Time::max()) return;
    world_.note("is told to drain");
    stage_.drained_at = world_.now();
    for (Postgres* server : stage_.servers) server->expect_the_end();
    service::give_order(control_fd_, service::Order::drain);
    const http::Limits& limits = config_.http;
    // Requests in flight, their answers to those that read slowly, their farewells.
    const Time limit = Time(limits.drain_grace) + config_.request_timeout +
                       2 * Time(limits.write_timeout) + limits.linger_timeout + slack +
                       (world_.faults.enabled(Fault::little_memory) ? 4s : 0s);
    if (world_.faults.enabled(Fault::early_orders) && random_.chance(300'000))
      world_.after(Time(random_.between(0, limit.count())), [this] { cancel(); });
    await_end(limit, world_.stopped_for());
  }

  void cancel() {
    if (ended_) return;
    world_.note("is told to cancel");
    stage_.cancelled_at = world_.now();
    service::give_order(control_fd_, service::Order::cancel);
    await_end(slack, world_.stopped_for());
  }

  void await_end(Time limit, Time stopped_before) {
    world_.after(limit, [this, stopped_before] {
      if (ended_) return;
      if (world_.stopped_for() != stopped_before)
        return await_end(world_.stopped_for() - stopped_before, world_.stopped_for());
      // Who reads slowly may have many answers to come: they are given up, as the process does.
      if (!stage_.cancelled() && stage_.open != 0 && stage_.attentive == 0) return cancel();
      world_.violated("the shard does not end: its limits are past, and " +
                      std::to_string(stage_.open) + " clients and " +
                      std::to_string(kernel_.open_descriptors()) + " descriptors are open");
    });
  }

  const Plan& plan_;
  Random start_;
  Faults faults_;
  World world_;
  Random random_;
  service::Config config_;
  pg::Options pg_;
  uint32_t asked_again_ = 0;
  service::ReceiveBuffers buffers_;
  Postgres postgres_;
  std::optional<Postgres> second_;
  Kernel kernel_;
  Stage stage_;
  int control_fd_ = -1, listening_fd_ = -1;
  Time chaos_{};
  std::set<size_t> clients_;
  size_t most_requests_ = 0;
  std::shared_ptr<Client> last_;
  bool ended_ = false;
};

Outcome simulate(const Plan& plan) {
  Life life(plan);
  return life.run();
}

}  // namespace ringpost::simulation
