// Types by their number in PostgreSQL's catalogue (src/include/catalog/pg_type.dat): those that
// this library reads or writes.
#pragma once

#include <cstdint>
#include <string>

namespace ringpost::proto::pg {

using Oid = uint32_t;

namespace oid {
inline constexpr Oid boolean = 16, bytea = 17, name = 19, int8 = 20, int2 = 21, int4 = 23,
                     text = 25, json = 114, float8 = 701, unknown = 705, bpchar = 1042,
                     varchar = 1043, timestamptz = 1184, uuid = 2950;
}

// "int8", or "type 12345" for one that is not listed above.
std::string type_name(Oid type);

}  // namespace ringpost::proto::pg
