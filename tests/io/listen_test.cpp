#include "src/io/listen.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/file_tree.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

int option(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  EXPECT_EQ(getsockopt(fd, level, name, &value, &length), 0);
  return value;
}

TEST(Listen, AcceptedSocketsHaveNoNagleAndABoundedSendBuffer) {
  const auto [accepted, client] = tests::tcp_pair();
  EXPECT_EQ(option(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(accepted, SOL_SOCKET, SO_SNDBUF), 2 * 128 * 1024) << "the kernel doubles it";
  ::close(accepted);
  ::close(client);
}

// One a shard.
TEST(Listen, SeveralListenOnOnePort) {
  const int one = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
  const Result<int> other = listen_tcp(tests::bound_to(one), 16);
  EXPECT_TRUE(other.has_value());
  if (other) ::close(*other);
  ::close(one);
}

TEST(Listen, AnAddressThatIsNotOursIsAnErrorWithItsName) {
  const Result<int> fd = listen_tcp(*Address::numeric("192.0.2.1", 0), 16);  // RFC 5737, 3
  EXPECT_EQ(fd.error().message(), "bind: Cannot assign requested address");
}

TEST(Listen, APortThatSomebodyElseHasIsAnErrorWithItsName) {
  const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const Address any = *Address::numeric("127.0.0.1", 0);
  ASSERT_EQ(::bind(other, any.data(), any.length), 0);
  ASSERT_EQ(::listen(other, 1), 0);
  const Result<int> fd = listen_tcp(tests::bound_to(other), 16);
  EXPECT_EQ(fd.error().message(), "bind: Address already in use");
  ::close(other);
}

mode_t mode_of(const std::string& path) {
  struct stat file{};
  EXPECT_EQ(::lstat(path.c_str(), &file), 0) << path;
  return file.st_mode;
}
bool connects(const Address& address, int type = SOCK_STREAM) {
  const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(fd, address.data(), address.length) == 0;
  ::close(fd);
  return connected;
}

TEST(ListenUnix, HasItsModeFromTheBeginning) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "http.sock";
  const Address address = *Address::unix_socket(path);
  for (const mode_t mode : {0600U, 0666U}) {
    const int fd = listen_unix(address, SOCK_STREAM, mode, 16).value();
    EXPECT_EQ(mode_of(path), S_IFSOCK | mode);
    EXPECT_TRUE(connects(address));
    ::close(fd);  // its file is stale from here on, and the next one replaces it
    EXPECT_FALSE(connects(address));
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.root()),
                          std::filesystem::directory_iterator()),
            1);
}

// As long as sockaddr_un allows, and a name that leaves no room for another beside it.
TEST(ListenUnix, APathMayHave107Bytes) {
  const tests::FileTree folder{};
  const std::string root = folder.root();
  for (const size_t name : {1U, 3U, 40U}) {
    const std::string inner = root + "/" + std::string(107 - root.size() - 2 - name, 'd');
    std::filesystem::create_directory(inner);
    const std::string path = inner + "/" + std::string(name, 's');
    ASSERT_EQ(path.size(), 107U);
    const Address address = *Address::unix_socket(path);
    for (int turn = 0; turn < 2; ++turn) {  // the second replaces the first
      const auto fd = listen_unix(address, SOCK_STREAM, 0600, 16);
      ASSERT_TRUE(fd.has_value()) << fd.error().message();
      EXPECT_TRUE(connects(address));
      ::close(*fd);
    }
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(inner),
                            std::filesystem::directory_iterator()),
              1);
  }
}

TEST(ListenUnix, ReplacesNobodyWhoListens) {
  const tests::FileTree folder{};
  const Address address = *Address::unix_socket(std::string(folder.root() / "http.sock"));
  const int fd = listen_unix(address, SOCK_STREAM, 0600, 16).value();
  EXPECT_EQ(listen_unix(address, SOCK_STREAM, 0600, 16).error().message(),
            "bind: Address already in use");
  // Nor who listens there for something else.
  EXPECT_EQ(listen_unix(address, SOCK_SEQPACKET, 0600, 16).error().message(),
            "bind: Address already in use");
  EXPECT_TRUE(connects(address));
  ::close(fd);
}

TEST(ListenUnix, ReplacesNoFileThatIsNoSocket) {
  const tests::FileTree folder{{"http.sock", "precious"}};
  const Address address = *Address::unix_socket(std::string(folder.root() / "http.sock"));
  EXPECT_EQ(listen_unix(address, SOCK_STREAM, 0600, 16).error().message(), "bind: File exists");
  EXPECT_EQ(mode_of(folder.root() / "http.sock") & S_IFMT, mode_t{S_IFREG});
}

TEST(ListenUnix, AnAbstractNameHasNoFile) {
  const Address address = *Address::unix_socket("@ringpost-listen-" + std::to_string(::getpid()));
  const int fd = listen_unix(address, SOCK_STREAM, 0600, 16).value();
  EXPECT_TRUE(connects(address));
  EXPECT_FALSE(listen_unix(address, SOCK_STREAM, 0600, 16).has_value());
  ::close(fd);
}

TEST(AdoptListening, TakesWhatListens) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const Address any = *Address::numeric("127.0.0.1", 0);
  ASSERT_EQ(::bind(fd, any.data(), any.length), 0);
  EXPECT_FALSE(adopt_listening(fd).has_value()) << "it does not listen yet";
  ASSERT_EQ(::listen(fd, 1), 0);
  EXPECT_EQ(adopt_listening(fd)->text(), tests::bound_to(fd).text());
  EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  ::close(fd);
}

TEST(AdoptListening, RefusesWhatIsNone) {
  const auto [one, other] = tests::socket_pair();
  EXPECT_EQ(adopt_listening(one).error().message(), "listen: Invalid argument");
  ::close(one);
  ::close(other);
  const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_FALSE(adopt_listening(file).has_value());
  ::close(file);
  const int packets =
      listen_unix(*Address::unix_socket("@ringpost-p-" + std::to_string(::getpid())),
                  SOCK_SEQPACKET, 0600, 1)
          .value();
  EXPECT_EQ(adopt_listening(packets).error().message(), "listen: Socket type not supported");
  ::close(packets);
}

}  // namespace
}  // namespace ringpost::io
