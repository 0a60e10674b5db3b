#include "src/ops/takeover.h"

#include <cstddef>
#include <cstring>
#include <functional>
#include <future>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/sockets.h"

namespace ringpost::ops {
namespace {

using namespace std::chrono_literals;
using Event = Giver::Event;

// A name that no other test has, without a file; and a socket that listens there.
std::string a_name() {
  static int number = 0;
  return "@ringpost-takeover-test-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
}
int listen_at(const std::string& name, int type = SOCK_SEQPACKET) {
  const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  address.sun_path[0] = '\0';
  EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
            0);
  EXPECT_EQ(::listen(fd, 8), 0);
  return fd;
}

int connect_to(const std::string& name) {
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  address.sun_path[0] = '\0';
  EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address),
                      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
            0);
  return fd;
}

// The old process: a thread that steps until it is told of something other than a beginning.
struct Old {
  explicit Old(const std::string& name, std::vector<int> sockets, std::chrono::milliseconds limit)
      : giver(listen_at(name), limit), thread([this, sockets] {
          const auto end = TakeoverClock::now() + 5s;
          while (TakeoverClock::now() < end) {
            const Event event = giver.step(sockets);
            if (event != Event::nothing) events.push_back(event);
            if (event == Event::ready) left = giver.leave();
            if (event == Event::ready || event == Event::failed) return;
            std::this_thread::sleep_for(1ms);
          }
        }) {}
  const std::vector<Event>& ended() {
    thread.join();
    return events;
  }
  Giver giver;
  std::vector<Event> events;
  bool left = false;
  std::thread thread;
};

TEST(Takeover, HandsOverTheSocketsThemselves) {
  const std::string name = a_name(), served = a_name();
  const int socket = listen_at(served, SOCK_STREAM);
  Old old(name, {socket}, 5s);
  auto taker = Taker::ask(name, TakeoverClock::now() + 5s);
  ASSERT_TRUE(taker.has_value()) << taker.error();
  ASSERT_TRUE(taker->has_value());
  EXPECT_EQ((*taker)->from(), ::getpid());
  const std::vector<int> sockets = (*taker)->take_sockets();
  ASSERT_EQ(sockets.size(), 1u);
  ::close(socket);  // the old one's; the queue is the same
  const auto ready = (*taker)->ready();
  EXPECT_TRUE(ready.has_value()) << ready.error();
  EXPECT_EQ(old.ended(), (std::vector{Event::begun, Event::ready}));
  EXPECT_TRUE(old.left);
  sockaddr_un address{};
  socklen_t length = sizeof address;
  ASSERT_EQ(getsockname(sockets[0], reinterpret_cast<sockaddr*>(&address), &length), 0);
  EXPECT_EQ(std::string(address.sun_path + 1, served.size() - 1), served.substr(1));
  // Where the two have met is the new one's by now.
  Giver again((*taker)->take_meeting(), 1s);
  auto third = std::async(std::launch::async,
                          [&] { return Taker::ask(name, TakeoverClock::now() + 5s).has_value(); });
  for (int i = 0; i < 1000 && again.step(sockets) != Event::begun; ++i)
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(again.peer(), ::getpid());
  EXPECT_TRUE(third.get());
  ::close(sockets[0]);
}

TEST(Takeover, HandsOverMoreThanAPacketHolds) {
  const std::string name = a_name();
  std::vector<int> sockets;
  for (int i = 0; i < 450; ++i) sockets.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  {
    Old old(name, sockets, 5s);
    auto taker = Taker::ask(name, TakeoverClock::now() + 5s);
    ASSERT_TRUE(taker.has_value()) << taker.error();
    std::vector<int> taken = (*taker)->take_sockets();
    EXPECT_EQ(taken.size(), 450u);
    for (const int fd : taken) ::close(fd);
    EXPECT_TRUE((*taker)->ready().has_value());
    old.ended();
  }
  for (const int fd : sockets) ::close(fd);
}

TEST(Takeover, NobodyThereIsNoError) {
  const auto taker = Taker::ask(a_name(), TakeoverClock::now() + 1s);
  ASSERT_TRUE(taker.has_value());
  EXPECT_FALSE(taker->has_value());
  const auto no_file = Taker::ask("/nowhere/takeover", TakeoverClock::now() + 1s);
  ASSERT_TRUE(no_file.has_value());
  EXPECT_FALSE(no_file->has_value());
}

// A killed process's ring lets go of its sockets a moment after its end.
TEST(Takeover, WhoEndsWhenAskedIsNobody) {
  const std::string name = a_name();
  std::jthread ends([meeting = listen_at(name)] {
    std::this_thread::sleep_for(100ms);
    ::close(meeting);
  });
  const auto taker = Taker::ask(name, TakeoverClock::now() + 5s);
  ASSERT_TRUE(taker.has_value()) << taker.error();
  EXPECT_FALSE(taker->has_value());
}

TEST(Takeover, WhoEndsBeforeItIsReadyLeavesTheOldOneServing) {
  const std::string name = a_name();
  const int socket = listen_at(a_name(), SOCK_STREAM), before = tests::free_descriptor();
  {
    Old old(name, {socket}, 5s);
    {
      const auto taker = Taker::ask(name, TakeoverClock::now() + 5s);
    }
    EXPECT_EQ(old.ended(), (std::vector{Event::begun, Event::failed}));
    EXPECT_EQ(old.giver.why(), "it has ended before it was ready");
    // And the next one is served.
    std::thread next([&] {
      for (int i = 0; i < 2000; ++i) {
        if (old.giver.step(std::vector{socket}) == Event::ready) {
          EXPECT_TRUE(old.giver.leave());
          return;
        }
        std::this_thread::sleep_for(1ms);
      }
    });
    auto taker = Taker::ask(name, TakeoverClock::now() + 5s);
    ASSERT_TRUE(taker.has_value()) << taker.error();
    EXPECT_TRUE((*taker)->ready().has_value());
    next.join();
  }
  EXPECT_EQ(tests::free_descriptor(), before);
  ::close(socket);
}

TEST(Takeover, WhoIsNotReadyInTimeIsGivenUp) {
  const std::string name = a_name();
  const int socket = listen_at(a_name(), SOCK_STREAM);
  Old old(name, {socket}, 30ms);
  auto taker = Taker::ask(name, TakeoverClock::now() + 5s);
  ASSERT_TRUE(taker.has_value()) << taker.error();
  EXPECT_EQ(old.ended(), (std::vector{Event::begun, Event::failed}));
  EXPECT_EQ(old.giver.why(), "it was not ready within 30 ms");
  EXPECT_FALSE((*taker)->is_alone()) << "the old one serves on";
  const auto ready = (*taker)->ready();
  ASSERT_FALSE(ready.has_value());
  EXPECT_EQ(ready.error(), "the old process serves on: it was not ready within 30 ms");
  ::close(socket);
}

TEST(Takeover, WhenTheOldOneIsGoneTheNewOneHasAllItNeeds) {
  const std::string name = a_name();
  const int socket = listen_at(a_name(), SOCK_STREAM);
  std::optional<Giver> old(std::in_place, listen_at(name), 5s);
  std::thread stepping([&] {
    while (old->step(std::vector{socket}) != Event::begun) std::this_thread::sleep_for(1ms);
  });
  auto taker = Taker::ask(name, TakeoverClock::now() + 5s);
  stepping.join();
  ASSERT_TRUE(taker.has_value()) << taker.error();
  old.reset();
  EXPECT_TRUE((*taker)->ready().has_value());
  ::close(socket);
}

TEST(Takeover, HasADeadline) {
  const std::string name = a_name();
  const int silent = listen_at(name);
  const auto start = TakeoverClock::now();
  const auto taker = Taker::ask(name, start + 50ms);
  ASSERT_FALSE(taker.has_value());
  EXPECT_EQ(taker.error(), "who listens at '" + name + "' says nothing in time");
  EXPECT_LT(TakeoverClock::now() - start, 2s);
  ::close(silent);
}

TEST(Takeover, WhoEndsWhenItIsReadyLeavesTheOldOneServing) {
  const std::string name = a_name();
  const int socket = listen_at(a_name(), SOCK_STREAM);
  const std::vector sockets{socket};
  Giver old(listen_at(name), 5s);
  const int peer = connect_to(name);
  tests::write_all(peer, "ringpost takeover 1");
  EXPECT_EQ(old.step(sockets), Event::begun);
  tests::write_all(peer, "ready");
  EXPECT_EQ(old.step(sockets), Event::ready);
  ::close(peer);
  EXPECT_FALSE(old.leave());
  EXPECT_EQ(old.why(), "it has ended when it was ready");
  EXPECT_NE(old.watched(), -1) << "the next one is listened to";
  ::close(socket);
}

// A process of this one's, as somebody else; ends with the object.
struct OtherUsers {
  explicit OtherUsers(const std::function<void()>& what) : pid(::fork()) {
    if (pid != 0) return;
    if (::setuid(65534) == 0) what();
    ::pause();
    ::_exit(0);
  }
  ~OtherUsers() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  const pid_t pid;
};

// Anybody may connect to a name without a file: who may not take over holds nobody up.
TEST(Takeover, AnotherUserWhoConnectsIsTurnedAwayAtOnce) {
  if (::geteuid() != 0) GTEST_SKIP() << "for the superuser";
  const std::string name = a_name();
  Giver old(listen_at(name), 5s);
  int told[2];
  ASSERT_EQ(::pipe2(told, O_CLOEXEC), 0);
  const OtherUsers stranger([&] {
    char bytes[64];
    const ssize_t size = ::recv(connect_to(name), bytes, sizeof bytes, 0);
    tests::write_all(told[1], std::string(bytes, size < 0 ? 0 : static_cast<size_t>(size)));
  });
  pollfd heard{told[0], POLLIN, 0};
  for (int i = 0; i < 1000 && ::poll(&heard, 1, 5) == 0; ++i)
    EXPECT_EQ(old.step({}), Event::nothing);
  char bytes[64];
  const ssize_t size = ::read(told[0], bytes, sizeof bytes);
  EXPECT_EQ(std::string(bytes, size < 0 ? 0 : static_cast<size_t>(size)), "it serves another user");
  EXPECT_FALSE(old.due().has_value()) << "the next one is served";
  ::close(told[0]);
  ::close(told[1]);
}

// Nor may anybody who was first at such a name give sockets that it can listen at itself.
TEST(Takeover, NothingIsTakenFromAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "for the superuser";
  const std::string name = a_name();
  int listens[2];
  ASSERT_EQ(::pipe2(listens, O_CLOEXEC), 0);
  const OtherUsers squatter([&] {
    listen_at(name);
    tests::write_all(listens[1], "1");
  });
  char byte = 0;
  ASSERT_EQ(::read(listens[0], &byte, 1), 1);
  const auto taker = Taker::ask(name, TakeoverClock::now() + 50ms);
  ASSERT_FALSE(taker.has_value());
  EXPECT_EQ(taker.error(), "another user's process (" + std::to_string(squatter.pid) +
                               ") listens at '" + name +
                               "': choose a path in a folder that only this service's user writes");
  ::close(listens[0]);
  ::close(listens[1]);
}

TEST(Takeover, WhoIsLeftAloneKnowsIt) {
  const std::string name = a_name();
  const int socket = listen_at(a_name(), SOCK_STREAM);
  const std::vector sockets{socket};
  std::optional<Giver> old(std::in_place, listen_at(name), 5s);
  EXPECT_FALSE(old->has_begun());
  std::thread stepping([&] {
    while (old->step(sockets) != Event::begun) std::this_thread::sleep_for(1ms);
  });
  auto taker = Taker::ask(name, TakeoverClock::now() + 5s);
  stepping.join();
  ASSERT_TRUE(taker.has_value()) << taker.error();
  EXPECT_TRUE(old->has_begun());
  EXPECT_FALSE((*taker)->is_alone());
  old.reset();
  EXPECT_TRUE((*taker)->is_alone());
  ::close(socket);
}

TEST(Takeover, AWaitCanBeEnded) {
  const std::string name = a_name();
  const int silent = listen_at(name);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  tests::write_all(ends[1], "end");
  const auto start = TakeoverClock::now();
  EXPECT_FALSE(Taker::ask(name, start + 60s, ends[0]).has_value());
  EXPECT_LT(TakeoverClock::now() - start, 5s);
  for (const int fd : {silent, ends[0], ends[1]}) ::close(fd);
}

TEST(Takeover, RefusesAnotherProtocol) {
  const std::string name = a_name();
  Old old(name, {}, 5s);
  const int fd = connect_to(name);
  tests::write_all(fd, "GET / HTTP/1.1\r\n\r\n");
  char bytes[64];
  const ssize_t size = ::recv(fd, bytes, sizeof bytes, 0);
  EXPECT_EQ(std::string(bytes, size < 0 ? 0 : static_cast<size_t>(size)),
            "it speaks another protocol");
  ::close(fd);
  // Of that nothing is told, as nothing was handed over; the next one is served.
  auto taker = Taker::ask(name, TakeoverClock::now() + 50ms);
  ASSERT_FALSE(taker.has_value());
  EXPECT_EQ(taker.error(), "who listens at '" + name + "' has no listening sockets");
  EXPECT_EQ(old.ended(), (std::vector{Event::begun, Event::failed}));
}

}  // namespace
}  // namespace ringpost::ops
