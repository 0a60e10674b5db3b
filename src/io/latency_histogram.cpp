#include "src/io/latency_histogram.h"

#include <cmath>

namespace ringpost::io {

double LatencyHistogram::bound(size_t i) {
  return std::exp2(static_cast<double>(first + static_cast<int>(i)) / 8);
}

}  // namespace ringpost::io
