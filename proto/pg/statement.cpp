#include "proto/pg/statement.h"

namespace ringpost::proto::pg {

std::expected<Widths, std::string> StatementDescription::check(
    std::string_view parameter_description, std::string_view row_description) const {
  const std::string subject = "statement " + std::string(name) + ": ";
  std::string wrong;
  size_t count = 0;
  if (!for_each_parameter(parameter_description, [&](Oid type) {
        if (wrong.empty() && count < parameters.size() && type != parameters[count] &&
            parameters[count] != oid::unspecified)
          wrong = "parameter $" + std::to_string(count + 1) + " is " + type_name(type) +
                  ", the program sends " + type_name(parameters[count]);
        ++count;
      }))
    wrong = "its ParameterDescription is malformed";
  if (wrong.empty() && count != parameters.size())
    wrong = "it takes " + std::to_string(count) + " parameters, the program sends " +
            std::to_string(parameters.size());
  if (!wrong.empty()) return std::unexpected(subject + wrong);

  count = 0;
  Widths widths = Widths::declared;
  if (!row_description.empty() &&
      !for_each_field(row_description, [&](const FieldDescription& field) {
        if (wrong.empty() && count < columns.size() && !columns[count].reads(field.type)) {
          if (columns[count].reads_by_width(field.type))
            widths = Widths::any;
          else
            wrong = "column " + std::to_string(count + 1) + " '" + std::string(field.name) +
                    "' is " + type_name(field.type) + ", the program reads " +
                    type_name(columns[count].usual);
        }
        ++count;
      }))
    wrong = "its RowDescription is malformed";
  if (wrong.empty() && count != columns.size())
    wrong = "it has " + std::to_string(count) + " columns, the program reads " +
            std::to_string(columns.size());
  if (!wrong.empty()) return std::unexpected(subject + wrong);
  return widths;
}

}  // namespace ringpost::proto::pg
