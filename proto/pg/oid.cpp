#include "proto/pg/oid.h"

namespace ringpost::proto::pg {

std::string type_name(Oid type) {
  if (type == oid::unspecified) return "an enum";
  for (const CatalogType& each : catalog_types) {
    if (each.type == type) return each.name;
    if (each.array == type) return std::string(each.name) + "[]";
  }
  return "type " + std::to_string(type);
}

}  // namespace ringpost::proto::pg
