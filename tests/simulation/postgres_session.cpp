#include "tests/simulation/postgres_session.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "src/app/users.h"
#include "src/service/ping.h"

namespace ringpost::simulation {

using namespace std::string_literals;

namespace {

// In the order of the table's columns.
struct Column {
  const char* name;
  int type;
};
constexpr Column columns[] = {{"id", 2950},         {"email", 25},          {"full_name", 25},
                              {"age", 23},          {"country_code", 1042}, {"is_active", 16},
                              {"created_at", 1184}, {"total", 20}};

std::string field(const Column& column) {
  return std::string(column.name) + '\0' + pg_int32(0) + pg_int16(0) + pg_int32(column.type) +
         pg_int16(-1) + pg_int32(-1) + pg_int16(0);
}
std::string row_description(size_t from, size_t count) {
  std::string body = pg_int16(static_cast<int64_t>(count));
  for (size_t i = from; i < from + count; ++i) body += field(columns[i]);
  return pg_message('T', body);
}

std::string error(const char* severity, const char* state, const char* routine = "exec_simple") {
  std::string body;
  const auto put = [&body](char code, const char* text) {
    body.append(1, code).append(text) += '\0';
  };
  put('S', severity);
  put('V', severity);
  put('C', state);
  put('M', "simulated");
  put('R', routine);
  return pg_message('E', body + '\0');
}
const std::string ready = pg_message('Z', "I");
const std::string notice = pg_message('N', "SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"s);
const std::string parameter = pg_message('S', "TimeZone\0UTC\0"s);

int64_t number(std::string_view bytes) {
  int64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

}  // namespace

void Postgres::Session::say_goodbye(const char* state) {
  out_.append(error("FATAL", state));
  send();
  end(false);
}

void Postgres::Session::borrow() {
  if (world_.faults.rate(Fault::pg_pooled) == 0) return;
  statements_ = &lent_[random_.below(lent_.size())];
  if (random_.chance(world_.faults.rate(Fault::pg_pooled))) *statements_ = {};  // it is a new one
  statements_->texts[""] = "another client's";
}

void Postgres::Session::fail_stale(const char* state, bool changed) {
  server_.internal_errors += changed ? 1 : 0;
  fail(error("ERROR", state, "RevalidateCachedQuery"));
}

void Postgres::Session::work() {
  if (over_ || gone_) return;
  if (side_.error() != 0 || side_.was_reset()) return lost();
  send();
  const Time wait = std::max(busy_until_, server_.frozen_until_) - world_.now();
  if (world_.now() < server_.frozen_until_) troubled_ = true;
  if (wait > Time{}) return plan(wait);
  while (!over_ && busy_until_ <= world_.now() && take_message()) {
  }
  if (over_) return;
  send();
  if (busy_until_ > world_.now()) return plan(busy_until_ - world_.now());
  if (side_.at_end()) lost();
}

std::string Postgres::Session::tell_role() {
  if (!server_.one_of_two_) return "";
  told_standby_ = server_.standby_;
  return pg_message('S', told_standby_ ? "in_hot_standby\0on\0"s : "in_hot_standby\0off\0"s);
}

bool Postgres::Session::may_retire() const {
  if (!answer_.empty() || !out_.empty() || busy_until_ > world_.now()) return false;
  if (server_.one_of_two_) return true;
  const auto past = [this](Time since, Time age) {
    return age != Time{} && world_.now() >= since + age;
  };
  return past(begun_at_, server_.old_age) || past(asked_at_, server_.idle_age);
}

// The program has ended the session. One that was well, and answered, is not to be dropped.
void Postgres::Session::lost() {
  // A second stop, longer than any one is, may come while the program looks once more.
  const bool stopped_again = world_.stopped_for() > 8s;
  if (asked_ && !troubled_ && !server_.ending_ && !stopped_again)
    world_.violated("a session with PostgreSQL that was well was dropped");
  over_ = true;
  side_.close(false);
}

bool Postgres::Session::take_message() {
  const std::string_view input = side_.unread();
  if (!begun_) return start();
  if (input.size() < 5) return false;
  const auto size = static_cast<size_t>(number(input.substr(1, 4))) + 1;
  if (size < 5 || size > 1'000'000) world_.violated("PostgreSQL was sent what is no message");
  if (input.size() < size) return false;
  const char type = input[0];
  const std::string body(input.substr(5, size - 5));
  side_.read(size);
  if (failed_ && type != 'S' && type != 'X') return true;
  switch (type) {
    case 'P':
      parse(body);
      break;
    case 'D':
      describe(body);
      break;
    case 'C':
      statements_->texts.erase(std::string(body.substr(1, body.size() - 2)));
      answer_ += pg_message('3', "");
      break;
    case 'B':
      bind(body);
      break;
    case 'E':
      execute();
      break;
    case 'S':
      sync();
      break;
    case 'X':
      if (!server_.ending_ && !troubled_ && !may_retire()) lost();
      over_ = true;
      side_.close(false);
      return false;
    default:
      world_.violated(std::string("PostgreSQL was sent a message of type ") + type);
  }
  return true;
}

bool Postgres::Session::start() {
  const std::string_view input = side_.unread();
  if (input.size() < 8) return false;
  const auto size = static_cast<size_t>(number(input.substr(0, 4)));
  if (input.size() < size) return false;
  const int64_t code = number(input.substr(4, 4));
  side_.read(size);
  if (code == 80'877'102) {  // a request to cancel: the connection is closed when it is taken
    end(false);
    return false;
  }
  if (code != 3 << 16) world_.violated("PostgreSQL was sent what is no StartupMessage");
  begun_ = true;
  begun_at_ = asked_at_ = world_.now();
  const auto& open = server_.open_;
  if (std::count_if(open.begin(), open.end(), [](const auto& one) { return one->counts(); }) >
      static_cast<std::ptrdiff_t>(server_.most_sessions))
    world_.violated("there are more sessions with PostgreSQL than the program may have");
  out_.append(pg_message('R', pg_int32(0)) + pg_message('S', "server_version\00018.1\0"s) +
              pg_message('S', "client_encoding\0UTF8\0"s) + tell_role() +
              pg_message('K', pg_int32(4711) + pg_int32(815)) + ready);
  busy_until_ = world_.now() + Time(random_.between(100'000, 2'000'000));
  borrow();
  return true;
}

void Postgres::Session::parse(std::string_view body) {
  const std::string name(body.substr(0, body.find('\0')));
  const std::string_view rest = body.substr(name.size() + 1);
  if (!name.empty() && statements_->texts.contains(name)) return fail(error("ERROR", "42P05"));
  statements_->texts[name] = std::string(rest.substr(0, rest.find('\0')));
  statements_->stale.erase(name);
  answer_ += pg_message('1', "");
}

void Postgres::Session::describe(std::string_view body) {
  const std::string_view name = body.substr(1, body.size() - 2);
  if (!statements_->texts.contains(name)) return fail_stale("26000", false);
  const std::string& sql = statements_->texts.find(name)->second;
  if (sql == app::find_user.sql) {
    answer_ += pg_message('t', pg_int16(1) + pg_int32(2950)) + row_description(0, 7);
  } else if (sql == app::list_users.sql) {
    answer_ += pg_message('t', pg_int16(2) + pg_int32(20) + pg_int32(20)) + row_description(0, 8);
  } else {
    answer_ += pg_message('t', pg_int16(0)) + pg_message('T', pg_int16(1) + field({"one", 23}));
  }
}

void Postgres::Session::bind(std::string_view body) {
  const std::string_view from_name = body.substr(body.find('\0') + 1);
  const std::string name(from_name.substr(0, from_name.find('\0')));
  const bool changed = random_.chance(world_.faults.rate(Fault::pg_changes));
  if (changed) {
    server_.trouble();
    if (random_.chance(500'000)) {
      statements_->texts.clear();
    } else if (statements_->texts.contains(name)) {
      statements_->stale.insert(name);
    }
  }
  if (!statements_->texts.contains(name)) return fail_stale("26000", changed);
  if (statements_->stale.contains(name)) return fail_stale("0A000", changed);
  // Formats of the parameters, their number, their values.
  std::string_view rest = from_name.substr(name.size() + 1);
  rest.remove_prefix(2 + 2 * static_cast<size_t>(number(rest.substr(0, 2))));
  const int64_t count = number(rest.substr(0, 2));
  rest.remove_prefix(2);
  std::vector<std::string_view> values;
  for (int64_t i = 0; i < count; ++i) {
    const auto length = static_cast<size_t>(number(rest.substr(0, 4)));
    values.push_back(rest.substr(4, length));
    rest.remove_prefix(4 + length);
  }
  asked_ = true;  // so the session is open for the program too
  asked_at_ = world_.now();
  const std::string& sql = statements_->texts.find(name)->second;
  if (sql == app::find_user.sql && count == 1)
    bound_rows_ = server_.table_.user_rows(values[0]);
  else if (sql == app::list_users.sql && count == 2)
    bound_rows_ = server_.table_.page_rows(number(values[0]), number(values[1]));
  else if (sql == service::ping.sql && count == 0)
    bound_rows_ = pg_message('D', pg_int16(1) + pg_value(pg_int32(1)));
  else
    world_.violated("PostgreSQL was sent a Bind with other parameters than the statement's");
  answer_ += pg_message('2', "");
}

void Postgres::Session::execute() {
  const Faults& faults = world_.faults;
  ++world_.counts.queries;
  Time cost = Time(random_.between(server_.least_cost.count(), server_.most_cost.count()));
  if (random_.chance(faults.rate(Fault::pg_slow))) {
    cost += Time(random_.skewed(3'000'000'000));
    if (cost > 100ms) server_.trouble();
    // Another one may have been asked by then; or it may be cancelled, which this one does not
    // obey.
    if (cost > (server_.one_of_two_ ? 400ms : 1'200ms)) troubled_ = true;
  }
  busy_until_ = world_.now() + cost;
  if (random_.chance(faults.rate(Fault::pg_errors))) {
    static constexpr const char* passing[] = {"57014", "55P03", "40001", "40P01", "53300"};
    static constexpr const char* lasting[] = {"XX000", "42P01", "22P02", "58030"};
    server_.trouble();
    if (random_.chance(500'000)) return fail(error("ERROR", passing[random_.below(5)]));
    ++server_.internal_errors;
    return fail(error("ERROR", lasting[random_.below(4)]));
  }
  if (random_.chance(faults.rate(Fault::pg_bad_values)) &&
      bound_rows_.find("@example") != std::string::npos) {
    ++server_.internal_errors;
    bound_rows_[bound_rows_.find("@example")] = '\xff';
  }
  if (random_.chance(faults.rate(Fault::pg_notices)))
    answer_ += random_.chance(500'000) ? notice : parameter;
  answer_ += bound_rows_;
  if (random_.chance(faults.rate(Fault::pg_notices)))
    answer_ += random_.chance(500'000) ? notice : parameter;
  answer_ += pg_message('C', "SELECT 1\0"s);
  // Its buffer is full: what is there goes out before the Sync.
  if (answer_.size() >= 8'192 || random_.chance(faults.rate(Fault::pg_split) / 4)) {
    out_.append(answer_);
    answer_.clear();
  }
}

void Postgres::Session::sync() {
  failed_ = false;
  borrow();
  if (told_standby_ != server_.standby_) answer_ += tell_role();
  answer_ += ready;
  const Faults& faults = world_.faults;
  if (random_.chance(faults.rate(Fault::pg_garbage) / 4)) {
    server_.trouble();
    troubled_ = true;
    if (random_.chance(500'000)) {  // it ends in the middle of an answer
      out_.append(std::string_view(answer_).substr(0, random_.below(answer_.size())));
      send();
      return end(random_.chance(500'000));
    }
    static constexpr std::string_view nonsense[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "Z\1\1\1\1",
                                                    "D\xff\xff\xff\xff", "!????"};
    answer_.insert(0, nonsense[random_.below(4)]);
  }
  out_.append(answer_);
  answer_.clear();
}

void Postgres::Session::fail(const std::string& message) {
  failed_ = true;
  answer_ += message;
}

void Postgres::Session::send() {
  while (!out_.empty() && !side_.broken() && !side_.closed()) {
    size_t count = std::min(out_.size(), side_.send_space());
    if (count == 0) return;  // goes on when there is room
    const bool split = random_.chance(world_.faults.rate(Fault::pg_split));
    if (split) count = std::min<size_t>(count, 1 + static_cast<size_t>(random_.skewed(2'000)));
    side_.write(out_.view().substr(0, count));
    out_.take(count);
    if (split && !out_.empty()) {
      if (!over_) plan(Time(random_.skewed(2'000'000)));
      return;
    }
  }
}

}  // namespace ringpost::simulation
