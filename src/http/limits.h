// What one HTTP connection, and a shard's listener, may take: sizes, counts and times. Each has an
// option (src/service/config).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "proto/http/request_parser.h"

namespace ringpost::http {

struct Limits {
  proto::http::HeadLimits head;
  uint64_t body_bytes = 1 << 20;  // more is answered 413
  // Requests of one connection that are worked on at a time; further ones wait unread.
  uint32_t pipelined = 64;
  // Answers that a slow reader may leave unread, before its next request is taken.
  size_t unsent_bytes = 256 * 1024;
  // Bytes that answers of a shard may take, from being asked for to being read, the kernel's
  // buffers included; see budget.h.
  size_t answer_memory = 64 << 20;
  size_t connections = 10'000;  // of one shard; further ones wait, and one that is idle makes room
  // Of one shard and one address (IPv6: one /64); further ones are closed at once. 0: no limit.
  size_t connections_of_address = 0;

  // Between requests. As nginx: a load balancer in front, with its 60 s, closes first, and sends no
  // request into a connection that is being closed here.
  std::chrono::milliseconds idle_timeout{75'000};
  // From the first byte of a head to its last; then 408. As long again before the first byte of a
  // connection; then it is closed in silence.
  std::chrono::milliseconds head_timeout{10'000};
  // From the end of a head to the end of its body; then 408.
  std::chrono::milliseconds body_timeout{30'000};
  // For room for an answer, when the memory for answers is used up; then 503.
  std::chrono::milliseconds room_timeout{2'000};
  std::chrono::milliseconds write_timeout{10'000};  // for the peer to take what was sent
  // For the peer to close after our last answer, from when it last sent something; and in all,
  // however long it goes on: many clients look for an answer only once their body is sent.
  std::chrono::milliseconds linger_timeout{1'000}, linger_limit{10'000};
  std::chrono::milliseconds drain_grace{100};  // for requests on their way when draining begins
};

}  // namespace ringpost::http
