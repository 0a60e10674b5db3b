// LogLimits: how many lines of a kind are written in a second; the others are counted, and told of
// when the second has passed. A table that is gone fails each request, and a line for each would be
// the next outage. A value without a clock; its owner has the lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::ops {

class LogLimits {
 public:
  using Second = std::chrono::seconds;  // of any clock that goes forwards
  static constexpr unsigned most = 10;

  // Whether one more line of `kind` is written.
  bool admit(std::string_view kind, Second now);

  // Lines that were not written, by kind, of seconds before `now`; each is told once.
  using Untold = std::vector<std::pair<std::string, uint64_t>>;
  Untold take(Second now);
  bool any_untold() const;

 private:
  struct Kind {
    Second second{};
    unsigned written = 0;
    uint64_t untold = 0;
  };
  std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace ringpost::ops
