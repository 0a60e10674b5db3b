#include "src/pg/prepared.h"

#include <utility>

#include "proto/pg/error.h"
#include "proto/pg/frontend.h"

namespace ringpost::pg {

namespace messages = proto::pg;

namespace {
// Two losses that are farther apart than this are DEALLOCATE or DISCARD, by a function or a hand:
// a pooler that is asked anything takes a statement away much sooner, or it costs next to nothing.
constexpr std::chrono::minutes not_long_ago{1};
}  // namespace

bool StatementNames::give_up(io::Time now, io::Duration pause) {
  const bool news = are_kept(now);
  unnamed_until_ = now + pause;
  return news;
}

void Prepared::clear() {
  has_.assign(has_.size(), std::nullopt);
  lost_.assign(lost_.size(), std::nullopt);
}

bool Prepared::lose(size_t index, io::Time now) {
  if (!has(index)) return false;  // those that were sent meanwhile say the same
  forget(index);
  const std::optional<io::Time> before = std::exchange(lost_[index], now);
  return before && now - *before < not_long_ago;
}

void Prepared::encode(proto::wire::Buffer& out, const messages::StatementDescription& statement,
                      std::string_view name) {
  // Closing first makes it harmless when several queries prepare the same statement in one
  // pipeline.
  messages::encode_close_statement(out, name);
  messages::encode_parse(out, name, statement.sql, statement.parameters);
  messages::encode_describe_statement(out, name);
}

std::expected<messages::Widths, std::string> Prepared::check(
    const messages::StatementDescription& statement, const messages::Pipeline::Answer& answer) {
  if (answer.failed) return std::unexpected(messages::decode_error(answer.error).text());
  return statement.check(answer.parameter_description, answer.row_description);
}

std::expected<messages::Widths, std::string> Prepared::note(
    size_t index, const messages::StatementDescription& statement,
    const messages::Pipeline::Answer& answer) {
  std::expected<Widths, std::string> checked = check(statement, answer);
  has_[index] = checked ? std::optional(*checked) : std::nullopt;
  return checked;
}

}  // namespace ringpost::pg
