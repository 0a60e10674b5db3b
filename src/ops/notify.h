// Notifier: tells whoever supervises this process how it is (sd_notify(3)): ready, reloading,
// stopping, still alive. The protocol is a datagram of lines to the UNIX socket $NOTIFY_SOCKET,
// which is no reason for libsystemd. Without the variable it does nothing.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace ringpost::ops {

class Notifier {
 public:
  Notifier() = default;
  Notifier(Notifier&& other) noexcept;
  Notifier& operator=(Notifier&& other) noexcept;
  ~Notifier();

  // By what the variables hold (nullptr: not set): NOTIFY_SOCKET, a path or a name that begins with
  // '@'; WATCHDOG_USEC and WATCHDOG_PID, as of process `pid`. The error says which is wrong.
  static std::expected<Notifier, std::string> make(const char* notify_socket,
                                                   const char* watchdog_usec,
                                                   const char* watchdog_pid, pid_t pid);
  // By the environment of this process, from which they are removed.
  static std::expected<Notifier, std::string> of_environment();

  bool supervised() const { return fd_ != -1; }
  const std::string& socket_path() const { return path_; }
  // Within which time it has to hear WATCHDOG=1; nothing when it does not wait for it.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

  // Sends lines such as "READY=1\nSTATUS=..."; false when they could not be sent within a second.
  bool send(std::string_view lines) const;
  void ready(std::string_view status) const;
  // "RELOADING=1", with the time that systemd wants with it; READY=1 follows when it is done.
  void reloading() const;
  void stopping() const { send("STOPPING=1"); }
  void alive() const { send("WATCHDOG=1"); }
  // From now on that process is the service.
  void succeeded_by(pid_t pid) const;

 private:
  int fd_ = -1;  // connected
  std::string path_;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace ringpost::ops
