// Invariant: a message is found whole, or not at all, inside of its input, at every split alike;
// what a decoder accepts, written down again by the specification, is the very body it was given;
// start-up ends in a state of its table with a reason when it failed; and what a server is, once it
// was asked, is known or not with a reason.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "proto/pg/backend.h"
#include "proto/pg/error.h"
#include "proto/pg/startup.h"
#include "proto/pg/target_session.h"
#include "tests/support/pg_messages.h"
#include "tests/support/plain_crypto.h"

namespace ringpost {
namespace {

using namespace proto::pg;
using proto::wire::Parse;
using tests::cstring, tests::int16, tests::int32;

void require(bool holds) {
  if (!holds) std::abort();
}

void decode_body(std::string_view body) {
  if (const auto key = decode_backend_key_data(body))
    require(int32(key->process_id) + key->secret_key == body);
  if (const auto negotiated = decode_negotiate_protocol_version(body)) {
    std::string options;
    for (const std::string_view each : negotiated->unknown_options) options += cstring(each);
    const auto count = static_cast<int64_t>(negotiated->unknown_options.size());
    require(int32(negotiated->version) + int32(count) + options == body);
  }
  if (const auto status = decode_parameter_status(body))
    require(cstring(status->name) + cstring(status->value) == body);

  std::string written;
  int count = 0;
  if (for_each_field(body, [&](const FieldDescription& field) {
        written += cstring(field.name) + int32(field.table) + int16(field.column) +
                   int32(field.type) + int16(field.type_size) + int32(field.type_modifier) +
                   int16(field.format);
        ++count;
      }))
    require(int16(count) + written == body);

  written.clear();
  count = 0;
  if (for_each_parameter(body, [&](Oid type) {
        written += int32(type);
        ++count;
      }))
    require(int16(count) + written == body);

  const ErrorResponse error = decode_error(body);
  require(error.is_fatal() == is_fatal(body));
  require(error.text().size() >= error.message.size());
}

// At most a hundred splits, or a long input would take a second.
void check_splits(std::string_view input, const Message& whole, Parse result) {
  const size_t step = 1 + input.size() / 100;
  for (size_t size = 0; size < input.size(); size += step) {
    Message part;
    const Parse early = next_message(input.substr(0, size), part);
    if (result == Parse::partial) require(early == Parse::partial);
    if (result == Parse::complete)
      require(early == (size < whole.size ? Parse::partial : Parse::complete));
  }
}

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost;
  const tests::Exact input({reinterpret_cast<const char*>(data), size});
  decode_body(input.view());

  Conninfo conninfo;
  conninfo.user = conninfo.dbname = "u";
  conninfo.password = "p";
  const bool encrypted = size % 2 == 1;
  const Channel channel{.password = "p", .encrypted = encrypted, .end_point = encrypted ? "e" : ""};
  Startup startup(conninfo, tests::plain_crypto(), channel);
  proto::wire::Buffer out;

  const auto wanted =
      size % 2 == 0 ? Conninfo::TargetSession::primary : Conninfo::TargetSession::read_only;
  StateQuery query(wanted);
  StateQuery::State asked = StateQuery::State::asking;
  ServerState server;

  std::string_view rest = input.view();
  for (bool first = true, starting = true;; first = false) {
    Message message;
    const Parse result = next_message(rest, message);
    if (first) check_splits(rest, message, result);
    if (result != Parse::complete) break;
    require(message.size <= rest.size() && message.body.size() + 5 == message.size);
    require(message.body.data() == rest.data() + 5);
    require(!message_name(message.type).empty());
    decode_body(message.body);
    if (starting) {
      Startup::State state = startup.take(message, out);
      // Whatever the number of iterations, which may be a million.
      if (state == Startup::State::salting)
        state = startup.salted(tests::plain_hmac_sha256(startup.salting().salt, "p"), out);
      require((state == Startup::State::failed) == !startup.failure().empty());
      starting = state != Startup::State::failed && state != Startup::State::ready;
    }
    if (asked == StateQuery::State::asking) {
      asked = query.take(message, server);
      require((asked == StateQuery::State::failed) == !query.failure().empty());
      require(asked != StateQuery::State::done || fit(wanted, server) != Fit::unknown);
    }
    rest.remove_prefix(message.size);
  }
  return 0;
}
