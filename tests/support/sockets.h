// The peer's end of a socket: what the test writes and reads there, without waiting.
#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ringpost::tests {

inline void write_all(int fd, std::string_view bytes) {
  ASSERT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

// What has come by now, up to a megabyte; empty when nothing has.
inline std::string read_available(int fd) {
  std::string text(1 << 20, '\0');
  const ssize_t length = ::read(fd, text.data(), text.size());
  text.resize(length < 0 ? 0 : static_cast<size_t>(length));
  return text;
}

// Closes with a reset.
inline void reset(int fd) {
  const linger none{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  ::close(fd);
}

// The number that the next descriptor will have: higher when one is left open.
inline int free_descriptor() {
  const int fd = ::dup(0);
  ::close(fd);
  return fd;
}

}  // namespace ringpost::tests
