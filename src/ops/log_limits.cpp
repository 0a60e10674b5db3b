#include "src/ops/log_limits.h"

#include <algorithm>

namespace ringpost::ops {

bool LogLimits::admit(std::string_view kind, Second now) {
  auto at = kinds_.find(kind);
  if (at == kinds_.end()) at = kinds_.emplace(std::string(kind), Kind{}).first;
  Kind& of = at->second;
  if (of.second != now) {
    of.second = now;
    of.written = 0;
  }
  if (of.written < most) {
    ++of.written;
    return true;
  }
  ++of.untold;
  return false;
}

LogLimits::Untold LogLimits::take(Second now) {
  Untold untold;
  for (auto& [name, kind] : kinds_) {
    if (kind.untold == 0 || kind.second >= now) continue;
    untold.emplace_back(name, kind.untold);
    kind.untold = 0;
  }
  return untold;
}

bool LogLimits::any_untold() const {
  return std::any_of(kinds_.begin(), kinds_.end(),
                     [](const auto& kind) { return kind.second.untold != 0; });
}

}  // namespace ringpost::ops
