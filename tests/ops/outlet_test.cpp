#include "src/ops/outlet.h"

#include <atomic>
#include <fstream>
#include <iterator>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/file_tree.h"

namespace ringpost::ops {
namespace {

using namespace std::chrono_literals;

// Outlets are for ever: each test leaves one behind, as a process does.
struct Pipe {
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    // A page: what fills it blocks.
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
  }
  std::string read(size_t size) const {
    std::string text;
    while (text.size() < size) {
      char bytes[4096];
      const ssize_t count = ::read(ends[0], bytes, sizeof bytes);
      if (count <= 0) break;
      text.append(bytes, static_cast<size_t>(count));
    }
    return text;
  }
  int ends[2];
};

TEST(Outlet, WritesInOrder) {
  const Pipe pipe;
  Outlet& outlet = *new Outlet(pipe.ends[1], 1 << 20, [](uint64_t) {});
  outlet.put("one\n");
  outlet.put("two\nthree\n");
  EXPECT_EQ(pipe.read(14), "one\ntwo\nthree\n");
  EXPECT_TRUE(outlet.drain(1s));
}

TEST(Outlet, LosesTheOldestAndSaysHowMany) {
  const Pipe pipe;
  static std::atomic<uint64_t> lost = 0;
  Outlet& outlet = *new Outlet(pipe.ends[1], 30'000, [](uint64_t lines) { lost += lines; });
  // The first fill the pipe and are in its write; what follows waits.
  const std::string line(999, 'x');
  outlet.put(std::string(8'191, 'f') + "\n");
  while (outlet.drain(0ms)) std::this_thread::yield();
  std::this_thread::sleep_for(50ms);
  for (int i = 0; i < 100; ++i) outlet.put(std::to_string(i) + line.substr(4) + "\n");
  EXPECT_FALSE(outlet.drain(20ms));
  std::string rest = pipe.read(8'192);
  while (!outlet.drain(1ms)) rest += pipe.read(1);
  EXPECT_GE(lost, 60u);
  EXPECT_LE(lost, 80u);
}

// A disk that is full within a line: the next line does not go on with it, and who reads later
// hears of those that are missing.
TEST(Outlet, SaysHowManyAFullDiskDidNotTakeWhenThereIsRoomAgain) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "log";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  static std::atomic<uint64_t> lost = 0;
  Outlet& outlet = *new Outlet(fd, 1 << 20, [](uint64_t lines) { lost += lines; });
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit full{.rlim_cur = 10, .rlim_max = before.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &full);
  outlet.put("first\n");
  EXPECT_TRUE(outlet.drain(5s));
  outlet.put("second\nthird\n");
  EXPECT_TRUE(outlet.drain(5s));
  outlet.put("fourth\n");
  EXPECT_TRUE(outlet.drain(5s));
  EXPECT_EQ(lost, 0U) << "there is no place to say so";
  setrlimit(RLIMIT_FSIZE, &before);
  outlet.put("fifth\n");
  EXPECT_TRUE(outlet.drain(5s));
  EXPECT_EQ(lost, 3U);
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "first\nseco\nfifth\n");
}

TEST(Outlet, CallsWhenItsTimeHasCome) {
  const Pipe pipe;
  static std::atomic<int> called = 0;
  Outlet& outlet = *new Outlet(pipe.ends[1], 1 << 20, [](uint64_t) {});
  outlet.call_at(Outlet::Clock::now() + 30ms, [] { ++called; });
  std::this_thread::sleep_for(5ms);
  EXPECT_EQ(called, 0);
  for (int i = 0; i < 500 && called == 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(called, 1);
}

}  // namespace
}  // namespace ringpost::ops
