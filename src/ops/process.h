// What the kernel says of this process, for metrics: getrusage(2), proc_pid_statm(5),
// proc_pid_stat(5), getrlimit(2). A figure that can't be had is 0.
#pragma once

#include <cstdint>

namespace ringpost::ops {

struct ProcessFigures {
  double cpu_seconds = 0;    // user and system
  double start_seconds = 0;  // since 1970
  uint64_t resident_bytes = 0, open_fds = 0, max_fds = 0;
};
ProcessFigures process_figures();

}  // namespace ringpost::ops
