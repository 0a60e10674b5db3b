// Whether this kernel gives what the reactor is built on, found out by using it once, before
// anything has started.
#pragma once

namespace ringpost::io {

// Sets up a ring as Reactor does, a buffer ring, receives twice by one multishot request, and sends
// more than there is room for. Throws RingError with the step that failed.
void probe_kernel();

}  // namespace ringpost::io
