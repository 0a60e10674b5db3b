// Socket activation: listening sockets that whoever has started this process passes to it, as
// systemd does (sd_listen_fds(3)): LISTEN_FDS of them, from descriptor 3 on, meant for the process
// LISTEN_PID. They outlive this process, so that who connects while it restarts waits in their
// queues. Two variables are no reason for libsystemd.
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace ringpost::ops {

inline constexpr int first_passed_fd = 3;

// How many were passed to process `pid`, from what the variables hold (nullptr: not set); 0 when
// they are for another process or not set. The error says which of them is no number.
std::expected<int, std::string> count_passed(const char* listen_pid, const char* listen_fds,
                                             int pid);

// Those that were passed to this process, by its environment, from which the variables are removed:
// they are for no child. The caller owns them; each is closed on exec. Call once, before there are
// threads.
std::expected<std::vector<int>, std::string> take_passed_sockets();

}  // namespace ringpost::ops
