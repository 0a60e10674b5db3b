// Types by their number in PostgreSQL's catalogue (src/include/catalog/pg_type.dat): those that
// this library reads or writes.
#pragma once

#include <cstdint>
#include <string>

namespace ringpost::proto::pg {

using Oid = uint32_t;

namespace oid {
inline constexpr Oid boolean = 16, bytea = 17, name = 19, int8 = 20, int2 = 21, int4 = 23,
                     text = 25, object_id = 26, json = 114, cidr = 650, float4 = 700, float8 = 701,
                     unknown = 705, inet = 869, bpchar = 1042, varchar = 1043, date = 1082,
                     time = 1083, timestamp = 1114, timestamptz = 1184, interval = 1186,
                     numeric = 1700, uuid = 2950, jsonb = 3802;

// In Parse: the server finds a parameter's type out.
inline constexpr Oid unspecified = 0;
// Types that CREATE TYPE makes have this number or a higher one (FirstNormalObjectId).
inline constexpr Oid first_of_users = 16384;
}  // namespace oid

// A type and that of its arrays.
struct CatalogType {
  Oid type, array;
  const char* name;
};

inline constexpr CatalogType catalog_types[] = {
    {oid::boolean, 1000, "bool"},
    {oid::bytea, 1001, "bytea"},
    {oid::name, 1003, "name"},
    {oid::int8, 1016, "int8"},
    {oid::int2, 1005, "int2"},
    {oid::int4, 1007, "int4"},
    {oid::text, 1009, "text"},
    {oid::object_id, 1028, "oid"},
    {oid::json, 199, "json"},
    {oid::cidr, 651, "cidr"},
    {oid::float4, 1021, "float4"},
    {oid::float8, 1022, "float8"},
    {oid::inet, 1041, "inet"},
    {oid::bpchar, 1014, "bpchar"},
    {oid::varchar, 1015, "varchar"},
    {oid::date, 1182, "date"},
    {oid::time, 1183, "time"},
    {oid::timestamp, 1115, "timestamp"},
    {oid::timestamptz, 1185, "timestamptz"},
    {oid::interval, 1187, "interval"},
    {oid::numeric, 1231, "numeric"},
    {oid::uuid, 2951, "uuid"},
    {oid::jsonb, 3807, "jsonb"},
};

// The type of the arrays of `element`, and of an array's elements; `unspecified` for one that is
// not listed.
constexpr Oid array_of(Oid element) {
  for (const CatalogType& each : catalog_types)
    if (each.type == element) return each.array;
  return oid::unspecified;
}
constexpr Oid element_of(Oid array) {
  for (const CatalogType& each : catalog_types)
    if (each.array == array) return each.type;
  return oid::unspecified;
}

// "int8", "int8[]", or "type 12345" for one that is not listed.
std::string type_name(Oid type);

}  // namespace ringpost::proto::pg
