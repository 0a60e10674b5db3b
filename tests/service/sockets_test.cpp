#include "src/service/sockets.h"

#include <chrono>
#include <optional>
#include <set>
#include <thread>
#include <tuple>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/io/listen.h"
#include "tests/support/file_tree.h"
#include "tests/support/reactor.h"

namespace ringpost::service {
namespace {

using Parts = std::vector<std::string>;

// Of what socket a descriptor is.
ino_t socket_of(int fd) {
  struct stat file{};
  EXPECT_EQ(::fstat(fd, &file), 0);
  return file.st_ino;
}

// What each shard got, as sockets; the descriptors are closed.
std::vector<std::multiset<ino_t>> shares_of(const Sockets& sockets, unsigned shards) {
  std::vector<std::multiset<ino_t>> shares;
  for (const std::vector<int>& fds : sockets.share(shards)) {
    std::multiset<ino_t>& share = shares.emplace_back();
    for (const int fd : fds) {
      share.insert(socket_of(fd));
      ::close(fd);
    }
  }
  return shares;
}

Config config_of(const std::string& host) {
  Config config;
  config.host = host;
  // A port that is free: the kernel's choice of a moment ago.
  const int probe = io::listen_tcp(*io::Address::numeric("127.0.0.1", 0), 1).value();
  const std::string text = tests::bound_to(probe).text();
  config.port = static_cast<uint16_t>(std::stoul(text.substr(text.find(':') + 1)));
  ::close(probe);
  return config;
}

TEST(Sockets, HostsStandBetweenCommas) {
  EXPECT_EQ(listening_hosts("::"), Parts{"::"});
  EXPECT_EQ(listening_hosts("127.0.0.1,unix:/a"), (Parts{"127.0.0.1", "unix:/a"}));
  EXPECT_EQ(listening_hosts("a,,b,"), (Parts{"a", "", "b", ""}));
  EXPECT_EQ(listening_hosts(""), Parts{""});
}

TEST(Sockets, EachShardHasOneOfTcpAndAllShareAUnixSocket) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "http.sock";
  {
    Sockets sockets = Sockets::open(config_of("127.0.0.1,unix:" + path), 2);
    const std::vector<int> all = sockets.fds();
    ASSERT_EQ(all.size(), 3u);
    const ino_t one = socket_of(all[0]), two = socket_of(all[1]), shared = socket_of(all[2]);
    EXPECT_EQ(shares_of(sockets, 2),
              (std::vector<std::multiset<ino_t>>{{one, shared}, {two, shared}}));
    // As after a hand-over, to a process with other shards: every socket is some shard's.
    EXPECT_EQ(shares_of(sockets, 1), (std::vector<std::multiset<ino_t>>{{one, two, shared}}));
    EXPECT_EQ(shares_of(sockets, 3),
              (std::vector<std::multiset<ino_t>>{{one, shared}, {two, shared}, {one, shared}}));
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

// A killed process's ring lets go of its sockets a moment after its end.
TEST(Sockets, WhatIsLetGoOfIsWaitedFor) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "http.sock";
  const Config config = config_of("127.0.0.1,unix:" + path);
  std::vector<int> held{
      io::listen_tcp(*io::Address::numeric("127.0.0.1", config.port), 1).value(),
      io::listen_unix(*io::Address::unix_socket(path), SOCK_STREAM, 0600, 1).value()};
  std::jthread release([&] {
    for (const int fd : held) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      ::close(fd);
    }
  });
  EXPECT_EQ(Sockets::open(config, 2).fds().size(), 3u);
}

TEST(Sockets, WhatIsHandedOverKeepsItsFile) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "http.sock";
  {
    Sockets sockets = Sockets::open(config_of("unix:" + path), 1);
    sockets.hand_over();
    EXPECT_TRUE(sockets.are_shared());
  }
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(Sockets, AFileThatAnotherProcessHasMadeSinceStays) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "http.sock";
  std::optional<Sockets> first(Sockets::open(config_of("unix:" + path), 1));
  std::filesystem::remove(path);  // as cleaners of /tmp do
  const Sockets second = Sockets::open(config_of("unix:" + path), 1);
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(Sockets, AnAddressThatAnotherOneHasIsNamed) {
  for (const auto& [hosts, one, other] :
       {std::tuple{"127.0.0.1,127.0.0.1", "127.0.0.1", "127.0.0.1"},
        {"0.0.0.0,::", "::", "0.0.0.0"},
        {"::1,0:0::1", "::1", "0:0::1"},
        {"127.0.0.1,0.0.0.0", "0.0.0.0", "127.0.0.1"},
        {"unix:@a,unix:@a", "unix:@a", "unix:@a"}}) {
    try {
      Sockets::open(config_of(hosts), 1);
      FAIL() << hosts;
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(error.what(), std::string("LISTEN_HOST is ") + hosts + ", where '" + one +
                                  "' has '" + other + "' too; leave that out");
    }
  }
  EXPECT_EQ(Sockets::open(config_of("127.0.0.1,127.0.0.2"), 1).fds().size(), 2U);
}

TEST(Sockets, APortThatIsInUseIsNamed) {
  const Config config = config_of("127.0.0.1");
  const Sockets first = Sockets::open(config, 1);
  try {
    Sockets::open(config, 1);
    FAIL() << "it was shared in silence";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(error.what(), "port 127.0.0.1:" + std::to_string(config.port) +
                                " is in use; stop what uses it or choose another: PORT=8081");
  }
}

TEST(Sockets, WhatWasPassedIsWhereTheSettingsSay) {
  Config config = config_of("127.0.0.1");
  const auto listening = [&] {
    return std::vector{io::listen_tcp(*io::Address::numeric("127.0.0.1", config.port), 1).value()};
  };
  {
    const Sockets sockets = Sockets::adopt(listening(), config, true);
    EXPECT_EQ(sockets.text(), "127.0.0.1:" + std::to_string(config.port));
    EXPECT_TRUE(sockets.are_shared());
  }
  const std::vector<int> fds = listening();
  const uint16_t port = config.port;
  config.port = static_cast<uint16_t>(port + 1);
  EXPECT_FALSE(Sockets::adopt({::dup(fds[0])}, config, true).fds().empty()) << "PORT is a default";
  config.settings["--port"] = 1;
  try {
    Sockets::adopt(fds, config, true);
    FAIL() << "a setting had no effect";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(error.what(),
              "LISTEN_FDS listens on 127.0.0.1:" + std::to_string(port) +
                  ", and LISTEN_HOST=127.0.0.1 with PORT=" + std::to_string(port + 1) +
                  " is set: set them to where it listens, or stop it first");
  }
  config.port = port;
  config.host = "127.0.0.1,unix:/nowhere";
  try {
    Sockets::adopt(listening(), config, false);
    FAIL() << "a setting had no effect";
  } catch (const std::runtime_error& error) {
    EXPECT_TRUE(std::string_view(error.what())
                    .starts_with("the process before this one does not listen on unix:/nowhere, "))
        << error.what();
  }
}

}  // namespace
}  // namespace ringpost::service
