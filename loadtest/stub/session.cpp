#include "loadtest/stub/session.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "proto/pg/encoder.h"
#include "proto/pg/values.h"
#include "proto/wire/bytes.h"

namespace ringpost::stub {

using Kind = Statement::Kind;
using proto::pg::BackendMessage, proto::pg::Uuid;
using proto::wire::Buffer, proto::wire::Reader;
namespace wire = proto::wire;

namespace {

constexpr std::string_view no_user(
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    28);
constexpr std::string_view one_field("\0\0\0\4\0\0\0\1", 8);

constexpr std::string_view unknown_sql =
    "this is a stub for load tests: it answers the statements of the users API alone";

std::string field(std::string_view value) {
  std::string bytes(4, '\0');
  wire::store_big_endian(bytes.data(), static_cast<int32_t>(value.size()));
  return bytes.append(value);
}

// The columns whose text differs from their binary form, by bit.
uint32_t columns_with_text(std::span<const Column> columns) {
  uint32_t bits = 0;
  for (size_t i = 0; i < columns.size(); ++i) bits |= uint32_t{columns[i].has_text()} << i;
  return bits;
}

constexpr uint32_t all_text = std::numeric_limits<uint32_t>::max();

std::optional<int64_t> int8_of(const Bind::Value& value) {
  if (value.binary) {
    if (value.bytes->size() != sizeof(int64_t)) return std::nullopt;
    return wire::load_big_endian<int64_t>(value.bytes->data());
  }
  int64_t number = 0;
  const char* end = value.bytes->data() + value.bytes->size();
  const auto [at, error] = std::from_chars(value.bytes->data(), end, number);
  if (error != std::errc{} || at != end) return std::nullopt;
  return number;
}

std::optional<Uuid> uuid_of(const Bind::Value& value) {
  if (!value.binary) return proto::pg::parse_uuid(*value.bytes);
  if (value.bytes->size() != sizeof(Uuid)) return std::nullopt;
  return proto::pg::Value<Uuid>::decode(*value.bytes);
}

}  // namespace

constexpr Session::Refusal Session::negative_limit{"2201W", "LIMIT must not be negative"};
constexpr Session::Refusal Session::negative_offset{"2201X", "OFFSET must not be negative"};

Session::Session(const Table& table, int32_t process_id)
    : table_(table), process_id_(process_id), total_field_(8, '\0') {
  wire::store_big_endian(total_field_.data(), static_cast<int64_t>(table.size()));
  total_field_ = field(total_field_);
}

Session::Next Session::take(std::string_view bytes, Buffer& out) {
  out_ = &out;
  next_ = Next::wait;
  const bool begun = !pending_.empty();
  if (begun) {
    pending_.append(bytes);
    bytes = pending_.view();
  }
  const size_t taken = take_messages(bytes);
  if (begun)
    pending_.consume(taken);
  else
    pending_.append(bytes.substr(taken));
  return next_;
}

// Returns how many bytes whole messages have.
size_t Session::take_messages(std::string_view input) {
  size_t taken = 0;
  while (next_ != Next::end) {
    const std::string_view rest = input.substr(taken);
    if (!started_) {
      const size_t size = take_startup(rest);
      if (size == 0) break;
      taken += size;
      continue;
    }
    Message found;
    const wire::Parse parsed = next_message(rest, found);
    if (parsed == wire::Parse::partial) break;
    if (parsed == wire::Parse::invalid) {
      violate("invalid message length");
      break;
    }
    taken += found.size;
    if (!failed_ || found.type == 'S' || found.type == 'X') message(found.type, found.body);
  }
  return taken;
}

size_t Session::take_startup(std::string_view input) {
  StartupPacket packet;
  const wire::Parse parsed = next_startup_packet(input, packet);
  if (parsed == wire::Parse::partial) return 0;
  if (parsed == wire::Parse::invalid || packet.code == StartupPacket::cancel_request) {
    next_ = Next::end;
  } else if (packet.code == StartupPacket::ssl_request ||
             packet.code == StartupPacket::gss_request) {
    out_->append('N');
    next_ = Next::send;
  } else if (packet.code >> 16 != StartupPacket::version_3 >> 16) {
    violate("unsupported frontend protocol");
  } else {
    start(packet.body, packet.code);
  }
  return packet.size;
}

void Session::start(std::string_view parameters, uint32_t version) {
  Buffer unknown;
  int32_t unknown_count = 0;
  Reader reader(parameters);
  for (std::string_view name = reader.string(); !name.empty(); name = reader.string()) {
    const std::string_view value = reader.string();
    if (name == "user") user_ = value;
    if (name == "application_name") application_name_ = value;
    if (!name.starts_with("_pq_.")) continue;
    ++unknown_count;
    unknown.append(name);
    unknown.append('\0');
  }
  if (!reader.finished()) return violate("invalid startup packet layout");
  if (version != StartupPacket::version_3 || unknown_count != 0)
    proto::pg::Encoder(*out_, BackendMessage::NegotiateProtocolVersion)
        .integer(StartupPacket::version_3)
        .integer(unknown_count)
        .bytes(unknown.view());
  proto::pg::Encoder(*out_, BackendMessage::AuthenticationRequest).integer(int32_t{0});
  for (const Setting& setting : settings())
    if (setting.told) encode_parameter_status(*out_, setting.name, value_of(setting.name));
  proto::pg::Encoder(*out_, BackendMessage::BackendKeyData)
      .integer(process_id_)
      .integer(int32_t{0});
  encode_ready(*out_, transaction_);
  started_ = true;
  next_ = Next::send;
}

std::string_view Session::value_of(std::string_view setting) const {
  if (setting == "application_name") return application_name_;
  if (setting == "session_authorization") return user_;
  return std::ranges::find(settings(), setting, &Setting::name)->value;
}

void Session::message(char type, std::string_view body) {
  switch (type) {
    case 'P':
      return parse(body);
    case 'B':
      return bind(body);
    case 'D':
      return describe(body);
    case 'E':
      return execute(body);
    case 'C':
      return close(body);
    case 'S':
      return sync();
    case 'Q':
      return query(body);
    case 'H':
      next_ = Next::send;
      return;
    case 'X':
      next_ = Next::end;
      return;
    default:
      return violate("invalid frontend message type " +
                     std::to_string(static_cast<unsigned char>(type)));
  }
}

void Session::parse(std::string_view body) {
  const std::optional<Parse> parse = decode_parse(body);
  if (!parse) return violate("invalid Parse message");
  const std::optional<Statement> statement = understand(parse->sql);
  if (!statement) {
    fail("0A000", unknown_sql);
    return;
  }
  if (!allowed(*statement)) return;
  if (!parse->name.empty() && statements_.contains(parse->name)) {
    fail("42P05", "prepared statement \"" + std::string(parse->name) + "\" already exists");
    return;
  }
  statements_.insert_or_assign(std::string(parse->name), *statement);
  out_->append(parse_complete);
}

void Session::bind(std::string_view body) {
  const std::optional<Bind> bind = decode_bind(body);
  if (!bind) return violate("invalid Bind message");
  const Statement* const found = statement(bind->statement);
  if (found == nullptr || !allowed(*found)) return;
  Portal bound{.statement = *found};
  if (!ask(*bind, bound)) return;
  if (bind->portal.empty()) {
    unnamed_portal_ = bound;
  } else if (!portals_.emplace(bind->portal, bound).second) {
    fail("42P03", "cursor \"" + std::string(bind->portal) + "\" already exists");
    return;
  }
  out_->append(bind_complete);
}

bool Session::ask(const Bind& bind, Portal& portal) {
  const std::span<const Column> columns = portal.statement.columns;
  if (bind.count != portal.statement.parameters.size())
    return fail("08P01", "bind message supplies " + std::to_string(bind.count) +
                             " parameters, but the statement requires " +
                             std::to_string(portal.statement.parameters.size()));
  if (!bind.results.fits(columns.size()))
    return fail("08P01",
                "bind message has another number of result formats than there are columns");
  for (size_t i = 0; i < columns.size(); ++i)
    if (!bind.results.binary(i)) portal.text |= 1u << i;
  if (portal.text != 0) portal.converted = portal.text & columns_with_text(columns);
  switch (portal.statement.kind) {
    case Kind::find_user:
      return find(bind.values[0], portal);
    case Kind::list_users:
      return list(bind.values[0], bind.values[1], portal);
    case Kind::select_one:
    case Kind::show:
      portal.rows = 1;
      return true;
    default:
      return true;
  }
}

bool Session::find(const Bind::Value& id, Portal& portal) {
  if (!id.bytes) return true;  // nothing is equal to NULL
  const std::optional<Uuid> uuid = uuid_of(id);
  if (!uuid) return fail("22P02", "invalid input syntax for type uuid");
  portal.users = table_.find(*uuid);
  portal.rows = portal.users.size();
  return true;
}

bool Session::list(const Bind::Value& limit, const Bind::Value& offset, Portal& portal) {
  int64_t most = 0, skipped = 0;
  if (!number(limit, std::numeric_limits<int64_t>::max(), most) || !number(offset, 0, skipped))
    return false;
  if (skipped < 0 || most < 0) {
    portal.refusal = skipped < 0 ? &negative_offset : &negative_limit;
    return true;
  }
  portal.users = table_.page(most, skipped);
  portal.rows = std::max<size_t>(portal.users.size(), 1);
  return true;
}

bool Session::number(const Bind::Value& value, int64_t otherwise, int64_t& number) {
  const std::optional<int64_t> given = value.bytes ? int8_of(value) : otherwise;
  if (!given) return fail("22P02", "invalid input syntax for type bigint");
  number = *given;
  return true;
}

bool Session::allowed(const Statement& statement) {
  if (transaction_ != 'E' || statement.kind == Kind::commit || statement.kind == Kind::rollback)
    return true;
  return fail("25P02",
              "current transaction is aborted, commands ignored until end of transaction block");
}

void Session::describe(std::string_view body) {
  const std::optional<Named> named = decode_named(body);
  if (!named) return violate("invalid Describe message");
  std::span<const Column> columns;
  uint32_t text = all_text;
  if (named->kind == 'S') {
    const Statement* const found = statement(named->name);
    if (found == nullptr) return;
    encode_parameter_description(*out_, found->parameters);
    columns = found->columns;
  } else {
    const Portal* const found = portal(named->name);
    if (found == nullptr) return;
    columns = found->statement.columns;
    text = found->text;
  }
  if (columns.empty()) return out_->append(no_data);
  encode_row_description(*out_, columns, text);
}

void Session::execute(std::string_view body) {
  const std::optional<Execute> execute = decode_execute(body);
  if (!execute) return violate("invalid Execute message");
  Portal* const found = portal(execute->portal);
  if (found == nullptr || !allowed(found->statement)) return;
  answer(*found, execute->most_rows > 0 ? static_cast<size_t>(execute->most_rows) : 0);
}

// `most_rows` 0: all.
void Session::answer(Portal& portal, size_t most_rows) {
  const Statement& statement = portal.statement;
  if (statement.kind == Kind::nothing) return out_->append(empty_query_response);
  if (statement.columns.empty())
    return encode_command_complete(*out_, change(statement), std::nullopt);
  if (portal.refusal != nullptr) {
    fail(portal.refusal->sqlstate, portal.refusal->message);
    return;
  }
  size_t count = 0;
  for (; portal.rows > 0 && (most_rows == 0 || count < most_rows); ++count) answer_row(portal);
  if (most_rows != 0 && count == most_rows) return out_->append(portal_suspended);
  encode_command_complete(*out_, statement.tag,
                          statement.kind == Kind::show ? std::nullopt : std::optional(count));
}

void Session::answer_row(Portal& portal) {
  const Statement& statement = portal.statement;
  std::string_view fields, last;
  std::string value;
  switch (statement.kind) {
    case Kind::show:
      value = field(value_of(statement.columns[0].name));
      fields = value;
      break;
    case Kind::select_one:
      fields = one_field;
      break;
    default:
      fields = portal.users.empty() ? no_user : portal.users.front().fields;
      if (statement.kind == Kind::list_users) last = total_field_;
  }
  encode_row(*out_, statement.columns, portal.converted, fields, last);
  if (!portal.users.empty()) portal.users = portal.users.subspan(1);
  --portal.rows;
}

// What a statement without rows does; the tag of its answer.
std::string_view Session::change(const Statement& statement) {
  std::string_view tag = statement.tag;
  if (statement.kind == Kind::begin) transaction_ = 'T';
  if (statement.kind == Kind::commit && transaction_ == 'E') tag = "ROLLBACK";
  if (statement.kind == Kind::commit || statement.kind == Kind::rollback) transaction_ = 'I';
  if (statement.kind == Kind::forget) statements_.clear();
  return tag;
}

void Session::close(std::string_view body) {
  const std::optional<Named> named = decode_named(body);
  if (!named) return violate("invalid Close message");
  // What is not there is closed already.
  if (named->kind == 'S') {
    if (const auto at = statements_.find(named->name); at != statements_.end())
      statements_.erase(at);
  } else if (named->name.empty()) {
    unnamed_portal_.reset();
  } else if (const auto at = portals_.find(named->name); at != portals_.end()) {
    portals_.erase(at);
  }
  out_->append(close_complete);
}

void Session::sync() {
  failed_ = false;
  if (transaction_ == 'I') {
    unnamed_portal_.reset();
    portals_.clear();
  }
  encode_ready(*out_, transaction_);
  next_ = Next::send;
}

void Session::query(std::string_view body) {
  Reader reader(body);
  const std::string_view script = reader.string();
  if (!reader.finished()) return violate("invalid Query message");
  unnamed_portal_.reset();
  if (const auto at = statements_.find(""); at != statements_.end()) statements_.erase(at);
  answer_script(script);
  sync();
}

// Up to the first error.
void Session::answer_script(std::string_view script) {
  bool empty = true;
  while (!script.empty()) {
    const std::optional<Statement> statement = understand(take_statement(script));
    if (!statement) {
      fail("0A000", unknown_sql);
      return;
    }
    if (statement->kind == Kind::nothing) continue;
    empty = false;
    Portal portal{.statement = *statement};
    if (!allowed(*statement) || !ask({}, portal)) return;
    if (!statement->columns.empty()) encode_row_description(*out_, statement->columns, portal.text);
    answer(portal, 0);
  }
  if (empty) out_->append(empty_query_response);
}

const Statement* Session::statement(std::string_view name) {
  const auto found = statements_.find(name);
  if (found != statements_.end()) return &found->second;
  fail("26000", "prepared statement \"" + std::string(name) + "\" does not exist");
  return nullptr;
}

Session::Portal* Session::portal(std::string_view name) {
  if (name.empty()) {
    if (unnamed_portal_) return &*unnamed_portal_;
  } else if (const auto found = portals_.find(name); found != portals_.end()) {
    return &found->second;
  }
  fail("34000", "portal \"" + std::string(name) + "\" does not exist");
  return nullptr;
}

bool Session::fail(std::string_view sqlstate, std::string_view message) {
  encode_error(*out_, "ERROR", sqlstate, message);
  failed_ = true;
  if (transaction_ == 'T') transaction_ = 'E';
  return false;
}

void Session::violate(std::string_view message) {
  encode_error(*out_, "FATAL", "08P01", message);
  next_ = Next::end;
}

}  // namespace ringpost::stub
