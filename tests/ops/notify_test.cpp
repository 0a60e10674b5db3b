#include "src/ops/notify.h"

#include <cstddef>
#include <cstring>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/file_tree.h"

namespace ringpost::ops {
namespace {

// A supervisor's socket, and what has come.
struct Supervisor {
  explicit Supervisor(const std::string& path)
      : fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size())),
              0);
  }
  ~Supervisor() { ::close(fd); }
  std::string heard() const {
    char bytes[512];
    const ssize_t size = ::recv(fd, bytes, sizeof bytes, 0);
    return size < 0 ? "" : std::string(bytes, static_cast<size_t>(size));
  }
  int fd;
};

TEST(Notifier, SpeaksToAPath) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "notify";
  const Supervisor supervisor(path);
  const auto notifier = Notifier::make(path.c_str(), nullptr, nullptr, 42);
  ASSERT_TRUE(notifier.has_value()) << notifier.error();
  EXPECT_TRUE(notifier->supervised());
  EXPECT_EQ(notifier->watchdog(), std::nullopt);
  notifier->ready("listening");
  EXPECT_EQ(supervisor.heard(), "READY=1\nSTATUS=listening");
  notifier->stopping();
  EXPECT_EQ(supervisor.heard(), "STOPPING=1");
  notifier->alive();
  EXPECT_EQ(supervisor.heard(), "WATCHDOG=1");
  notifier->succeeded_by(4711);
  EXPECT_EQ(supervisor.heard(), "MAINPID=4711");
  notifier->reloading();
  const std::string reloading = supervisor.heard();
  EXPECT_TRUE(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC=")) << reloading;
  EXPECT_GT(std::stoll(reloading.substr(27)), 0);
}

TEST(Notifier, SpeaksToAnAbstractName) {
  const std::string name = "@ringpost-notify-test-" + std::to_string(::getpid());
  const Supervisor supervisor(name);
  const auto notifier = Notifier::make(name.c_str(), nullptr, nullptr, 42);
  ASSERT_TRUE(notifier.has_value()) << notifier.error();
  EXPECT_TRUE(notifier->send("READY=1"));
  EXPECT_EQ(supervisor.heard(), "READY=1");
}

TEST(Notifier, IsSilentWithoutASupervisor) {
  for (const char* none : {static_cast<const char*>(nullptr), ""}) {
    const auto notifier = Notifier::make(none, "1000", "42", 42);
    ASSERT_TRUE(notifier.has_value());
    EXPECT_FALSE(notifier->supervised());
    EXPECT_EQ(notifier->watchdog(), std::nullopt);
    EXPECT_TRUE(notifier->send("READY=1"));
  }
}

TEST(Notifier, KnowsWhoseWatchdogItIs) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "notify";
  const Supervisor supervisor(path);
  using std::chrono::microseconds;
  EXPECT_EQ(Notifier::make(path.c_str(), "3000000", "42", 42)->watchdog(), microseconds(3'000'000));
  EXPECT_EQ(Notifier::make(path.c_str(), "3000000", nullptr, 42)->watchdog(),
            microseconds(3'000'000));
  EXPECT_EQ(Notifier::make(path.c_str(), "3000000", "41", 42)->watchdog(), std::nullopt);
}

TEST(Notifier, SaysWhatIsWrong) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "notify";
  const struct {
    std::string socket;
    const char *watchdog, *why;
  } cases[] = {
      {"vsock:2:1234", nullptr, "NOTIFY_SOCKET is 'vsock:2:1234'"},
      {folder.root() / "nobody", nullptr, "where nobody listens"},
      {"/" + std::string(200, 'x'), nullptr, "where nobody listens"},
      {path, "soon", "WATCHDOG_USEC is 'soon'"},
      {path, "0", "WATCHDOG_USEC is '0'"},
  };
  const Supervisor supervisor(path);
  for (const auto& each : cases) {
    const auto notifier = Notifier::make(each.socket.c_str(), each.watchdog, nullptr, 42);
    ASSERT_FALSE(notifier.has_value()) << each.socket;
    EXPECT_NE(notifier.error().find(each.why), std::string::npos) << notifier.error();
  }
}

}  // namespace
}  // namespace ringpost::ops
