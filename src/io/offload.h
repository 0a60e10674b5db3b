// Work that would hold a shard up, done by one thread of the process, and awaited like anything
// else: with a deadline, and cancellable.
//
// What is given must own all that it works on: it may run, or be dropped unrun, when who asked for
// it has long gone. The thread starts with the first work, and ends with the process.
#pragma once

#include <functional>
#include <memory>

#include "src/io/cancellation.h"
#include "src/io/error.h"
#include "src/io/reactor.h"
#include "src/io/task.h"

namespace ringpost::io {

// Done when `work` has run. Errors: timed_out, cancelled (it may still run then), system: EAGAIN
// where so much waits already that this would be in vain.
Task<Result<void>> offload(Reactor& reactor, std::function<void()> work, Until until);

// Works that may wait for the thread, at most.
inline constexpr size_t most_offloaded = 256;

}  // namespace ringpost::io
