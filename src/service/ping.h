// What PostgreSQL is asked when somebody wants to know whether it can be.
#pragma once

#include <cstdint>
#include <tuple>

#include "proto/pg/statement.h"

namespace ringpost::service {

struct One {
  int32_t one;

  static constexpr auto columns = std::tuple{&One::one};
};

inline constexpr auto ping = proto::pg::read<One()>("ping", "select 1");

}  // namespace ringpost::service
