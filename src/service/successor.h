// Successor: another process of this program, by the same command line and environment, that takes
// over from this one (SIGUSR2): the file may have been replaced meanwhile.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include <signal.h>
#include <sys/types.h>

#include "src/ops/notify.h"

namespace ringpost::service {

class Successor {
 public:
  // `argv` outlives it; `mask`: the signals that this process was started with. To be made before
  // the program's file may change: it remembers where that is.
  Successor(char** argv, const sigset_t& mask);

  // Starts it, with the supervisor that this process has. What else was for this process alone
  // (LISTEN_FDS, the watchdog's process) it does not get.
  std::expected<pid_t, std::string> start(const ops::Notifier& notifier);
  // Its exit status when it has ended, once. Neither it is a zombie from then on, nor who else has
  // ended: as process 1 of a container this one is the parent of all orphans.
  std::optional<int> ended();

 private:
  char** argv_;
  sigset_t mask_;
  std::string program_;
  pid_t pid_ = 0;
};

}  // namespace ringpost::service
