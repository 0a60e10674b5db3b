// What a Connection makes of what its server sends: each answer goes to its query, which is told of
// it or asked again; what is said of the session changes what is known of that.
#include <utility>

#include "src/pg/connection.h"

namespace ringpost::pg {

namespace messages = proto::pg;
using messages::Pipeline;
using messages::StatementDescription;

namespace {

Error from_server(std::string_view body) {
  return {.kind = Error::Kind::server,
          .server = std::make_shared<const messages::ErrorResponse>(messages::decode_error(body)),
          .detail = {}};
}

}  // namespace

std::optional<std::string> Connection::hand_out(std::string_view& input) {
  for (;;) {
    const Pipeline::Event event = pipeline_.next(input);
    const size_t consumed = pipeline_.consumed();
    switch (event) {
      case Pipeline::Event::more:
        input.remove_prefix(consumed);
        return std::nullopt;
      case Pipeline::Event::answer: {
        const Pipeline::Answer& answer = pipeline_.answer();
        if (answer.expect == Pipeline::Expect::prepare)
          described(answer);
        else
          answered(answer);
        break;
      }
      case Pipeline::Event::too_large:
        passed_limit(pipeline_.answer());
        break;
      case Pipeline::Event::asynchronous:
        take_asynchronous(pipeline_.message());
        break;
      case Pipeline::Event::fatal: {
        const messages::ErrorResponse fatal = messages::decode_error(pipeline_.message().body);
        if (fatal.is_lost_statement()) give_names_up(fatal);
        ended_by_order_ |= fatal.is_ended_from_outside();
        return fatal.text();
      }
      case Pipeline::Event::skipped:
        skipped(pipeline_.answer());
        break;
      case Pipeline::Event::violation:
        return std::string("protocol violation: a message of type '") +
               static_cast<char>(pipeline_.message().type) + "' out of place";
    }
    input.remove_prefix(consumed);
  }
}

void Connection::take_asynchronous(const messages::Message& message) {
  if (message.type == messages::BackendMessage::NoticeResponse) {
    const messages::ErrorResponse notice = messages::decode_error(message.body);
    ended_by_order_ |= notice.is_ended_from_outside();
    observer_.notice(notice.severity, notice.message);
  } else if (message.type == messages::BackendMessage::ParameterStatus) {
    const auto status = messages::decode_parameter_status(message.body);
    if (status && session_.server_state.take(*status)) server_changed();
  }
}

void Connection::server_changed() {
  Hosts& hosts = connector_.hosts();
  if (hosts.wanted() == Hosts::Wanted::any) return;
  hosts.changed(host_, session_.server_state, reactor_.now());
  owner_.server_changed();
}

// A server that takes no writes by now, though asked for as one that does.
bool Connection::is_demoted(const messages::ErrorResponse& error) const {
  const Hosts::Wanted wanted = connector_.hosts().wanted();
  return error.is_read_only_transaction() &&
         (wanted == Hosts::Wanted::primary || wanted == Hosts::Wanted::read_write);
}

void Connection::passed_limit(const Pipeline::Answer& answer) {
  const std::string limit = " is larger than " + std::to_string(options_.answer_bytes) + " bytes";
  if (answer.expect == Pipeline::Expect::prepare) {
    const auto& statement = *static_cast<const StatementDescription*>(answer.owner);
    return observer_.statement_failed(statement.name, "its description" + limit);
  }
  auto& query = *static_cast<QueryBase*>(answer.owner);
  query.notes.holder = nullptr;
  ledger_.fail(query, {.kind = Error::Kind::too_large,
                       .server = nullptr,
                       .detail = "the answer to " + std::string(query.statement().name) + limit});
}

// A statement was prepared when the session opened.
void Connection::described(const Pipeline::Answer& answer) {
  const auto& statement = *static_cast<const StatementDescription*>(answer.owner);
  const auto noted = prepared_.note(ledger_.index_of(statement), statement, answer);
  if (noted) return;
  if (answer.failed) {
    const messages::ErrorResponse why = messages::decode_error(answer.error);
    if (why.is_duplicate_statement()) return give_names_up(why);
  }
  observer_.statement_failed(statement.name, noted.error());
}

void Connection::answered(const Pipeline::Answer& answer) {
  auto& query = *static_cast<QueryBase*>(answer.owner);
  query.notes.holder = nullptr;
  if (answer.expect == Pipeline::Expect::prepare_and_execute && !query.made_now()) {
    const auto noted = query.notes.unnamed
                           ? Prepared::check(query.statement(), answer)
                           : prepared_.note(query.notes.index, query.statement(), answer);
    if (!noted && !answer.failed)
      return ledger_.fail(
          query, {.kind = Error::Kind::mismatch, .server = nullptr, .detail = noted.error()});
    query.notes.widths = noted.value_or(proto::pg::Widths::declared);
  } else {
    query.notes.widths = prepared_.widths(query.notes.index);
  }
  if (!answer.failed) return ledger_.succeed(query, answer);
  failed(query, answer.expect == Pipeline::Expect::prepare_and_execute, from_server(answer.error));
}

// Asks `query` again, or tells it. What is sent here takes the place in the pipeline that has just
// become free. With a query of a lease its transaction has failed, and is its owner's to repeat.
void Connection::failed(QueryBase& query, bool prepared_with_it, Error error) {
  const messages::ErrorResponse& server = *error.server;
  // The statement's tables have changed under it, or it was deallocated: it is prepared anew. What
  // one that is made at run time says of others by name is its own affair.
  if (server.is_stale_statement() && !query.notes.prepared_anew && !query.made_now()) {
    if (!server.is_lost_statement())
      prepared_.forget(query.notes.index);
    else if (prepared_.lose(query.notes.index, reactor_.now()))
      give_names_up(server);
    query.notes.prepared_anew = query.notes.alone = true;
    if (!query.notes.leased) return send(query);
  }
  // What was prepared with it can't be stale: a pooler has one for all of that text, and keeps it.
  const bool kept_stale = server.is_stale_statement() && prepared_with_it;
  if ((kept_stale || server.is_duplicate_statement()) && !query.notes.unnamed &&
      !query.made_now()) {
    prepared_.forget(query.notes.index);
    give_names_up(server);
    query.notes.alone = true;
    if (!query.notes.leased) return send(query);
  }
  // It gave way to another, or was hit in place of one that was given up, and may have its turn
  // now: in line with the others, wherever there is room, and until its deadline. A statement that
  // writes is its owner's to repeat.
  const bool hit = server.is_query_canceled() && query.notes.number < hit_before_;
  if ((hit || server.is_retryable()) && query.statement().read_only && !query.notes.tried_again &&
      !query.notes.leased) {
    query.notes.tried_again = query.notes.alone = true;
    query.notes.sent = query.notes.prepared_anew = false;
    return owner_.ask_again(query);
  }
  if (is_demoted(server)) {
    session_.server_state.in_hot_standby = true;
    server_changed();
    error.detail = "its server takes no writes any more: " + server.text();
    error.kind = Error::Kind::unavailable;
  }
  ledger_.fail(query, std::move(error));
}

void Connection::give_names_up(const messages::ErrorResponse& why) {
  if (connector_.names().give_up(reactor_.now(), options_.unnamed_pause))
    observer_.statements_not_kept(why.text());
}

// It has not been tried, so it does not count as tried again. It leaves at once, as it would have
// been answered by now; and alone, as what made another fail may make it fail too: n of a group
// cost 2 n executions then, and not n^2.
void Connection::skipped(const Pipeline::Answer& answer) {
  auto& query = *static_cast<QueryBase*>(answer.owner);
  query.notes.alone = true;
  send(query);
}

}  // namespace ringpost::pg
