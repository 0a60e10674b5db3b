#include "src/pg/prepared.h"

#include <utility>

#include "proto/pg/error.h"
#include "proto/pg/frontend.h"

namespace ringpost::pg {

namespace messages = proto::pg;

void Prepared::encode(proto::wire::Buffer& out, const messages::StatementDescription& statement) {
  // Closing first makes it harmless when several queries prepare the same statement in one
  // pipeline.
  const std::string_view name = statement.server_name.view();
  messages::encode_close_statement(out, name);
  messages::encode_parse(out, name, statement.sql, statement.parameters);
  messages::encode_describe_statement(out, name);
}

std::optional<std::string> Prepared::take(size_t index,
                                          const messages::StatementDescription& statement,
                                          const messages::Pipeline::Answer& answer) {
  has_[index] = false;
  if (answer.failed) return messages::decode_error(answer.error).text();
  if (auto checked = statement.check(answer.parameter_description, answer.row_description);
      !checked)
    return std::move(checked.error());
  has_[index] = true;
  return std::nullopt;
}

}  // namespace ringpost::pg
