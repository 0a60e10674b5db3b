#include "src/pg/dynamic_query.h"

#include <utility>

namespace ringpost::pg {

Result<proto::pg::DynamicRows> DynamicQuery::await_resume() {
  Result<const proto::pg::Pipeline::Answer*> answer = outcome_of_query();
  if (!answer) return std::unexpected(std::move(answer.error()));
  const proto::pg::Pipeline::Answer& brought = **answer;
  return proto::pg::DynamicRows(brought.row_description, brought.rows, brought.command_tag,
                                made_.rows());
}

}  // namespace ringpost::pg
