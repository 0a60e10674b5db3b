// Whether this kernel gives what the reactor is built on, found out by using it once, before
// anything has started.
#pragma once

#include <string>
#include <vector>

namespace ringpost::io {

// Sets up a ring as Reactor does, a buffer ring, receives twice by one multishot request, and sends
// more than there is room for. Throws RingError with the step that failed.
void probe_kernel();

// The same for somebody who wants to know of each: by name, and with errno and the step that failed
// where it can't be had. Without a ring that one is all there is.
struct ProbedFeature {
  std::string name;
  int error = 0;
  std::string step = {};
};
std::vector<ProbedFeature> probe_features();

}  // namespace ringpost::io
