// `ringpost --healthcheck`: asks a running server whether it is ready. For container engines, whose
// image then needs neither shell nor curl.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace ringpost::ops {

// GET /readyz at the numeric address `host` (an unspecified one: loopback), or at unix:PATH.
// Nothing when the answer is 200 within `limit`, else what came instead. Blocks; to be called by a
// process that does nothing else.
std::optional<std::string> find_illness(const std::string& host, uint16_t port,
                                        std::chrono::milliseconds limit);

}  // namespace ringpost::ops
