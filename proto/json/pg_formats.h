// PostgreSQL's uuid and timestamptz as JSON: strings. Who includes this links proto/pg.
#pragma once

#include "proto/json/writer.h"
#include "proto/pg/timestamptz.h"
#include "proto/pg/uuid.h"

namespace ringpost::proto::json {

template <>
struct Format<pg::Uuid> {
  static constexpr size_t most = pg::uuid_text_length + 2;
  static char* write(char* at, const pg::Uuid& value) {
    *at = '"';
    at = pg::write_uuid(at + 1, value);
    *at = '"';
    return at + 1;
  }
};

template <>
struct Format<pg::Timestamptz> {
  static constexpr size_t most = pg::timestamp_text_length + 2;
  static char* write(char* at, pg::Timestamptz value) {
    *at = '"';
    at = pg::write_rfc3339(at + 1, value);
    *at = '"';
    return at + 1;
  }
};

}  // namespace ringpost::proto::json
