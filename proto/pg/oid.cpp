#include "proto/pg/oid.h"

namespace ringpost::proto::pg {

std::string type_name(Oid type) {
  switch (type) {
    case oid::boolean:
      return "bool";
    case oid::bytea:
      return "bytea";
    case oid::name:
      return "name";
    case oid::int8:
      return "int8";
    case oid::int2:
      return "int2";
    case oid::int4:
      return "int4";
    case oid::text:
      return "text";
    case oid::json:
      return "json";
    case oid::float8:
      return "float8";
    case oid::bpchar:
      return "bpchar";
    case oid::varchar:
      return "varchar";
    case oid::timestamptz:
      return "timestamptz";
    case oid::uuid:
      return "uuid";
    default:
      return "type " + std::to_string(type);
  }
}

}  // namespace ringpost::proto::pg
