// Values in PostgreSQL's binary format, and the C++ types that stand for them. Each is what the
// server's send and receive functions of the type read and write (numeric_send, numeric_recv...).
//
//     bool                    bool          1 byte
//     int16_t int32_t int64_t int2 4 8      big-endian; each from any of them that fits
//     uint32_t                oid           big-endian
//     float double            float4 8      IEEE 754
//     Numeric                 numeric       proto/pg/numeric.h
//     Date                    date          int32       proto/pg/calendar.h: as std::chrono's
//     Time                    time          int64
//     Timestamp Timestamptz   timestamp(tz) int64
//     Interval                interval      int64, int32, int32
//     Uuid                    uuid          16 bytes
//     std::string_view        text and its kin: the bytes
//     std::string             the same, owned
//     Enum                    any enum      the label
//     an enum of the program  any enum      proto/pg/enum.h
//     Bytea Json              bytea, json   the bytes
//     Jsonb                   jsonb         a byte 1, then the text
//     Inet                    inet, cidr    proto/pg/inet.h
//     std::vector<T>          T[]           one dimension; NULL elements as std::optional<T>
//
// All but std::string, Numeric and std::vector are views of the message they came in or hold all
// they have in themselves. Malformed bytes are refused, never read past.
#pragma once

#include "proto/pg/array.h"
#include "proto/pg/datetime.h"
#include "proto/pg/value.h"
