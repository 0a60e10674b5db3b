#include "src/io/resolve.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include <netdb.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "src/io/awaited_operation.h"

namespace ringpost::io {

namespace {

// Shared by the coroutine and the thread that looks the name up: either may be done with it first.
struct Lookup {
  std::string host, port;
  int done = -1;  // eventfd
  int result = 0;
  std::vector<Address> addresses;

  ~Lookup() {
    if (done != -1) ::close(done);
  }

  void run() {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    result = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
      Address address;
      std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
      address.length = one->ai_addrlen;
      addresses.push_back(address);
    }
    if (found != nullptr) freeaddrinfo(found);
    eventfd_write(done, 1);
  }
};

}  // namespace

Task<Result<std::vector<Address>>> resolve(Reactor& reactor, std::string host, uint16_t port,
                                           Until until) {
  if (const auto address = Address::numeric(host, port)) co_return std::vector<Address>{*address};
  auto lookup = std::make_shared<Lookup>();
  lookup->host = std::move(host);
  lookup->port = std::to_string(port);
  lookup->done = eventfd(0, EFD_CLOEXEC);
  if (lookup->done == -1) co_return std::unexpected(Error::system(errno, "eventfd"));
  try {
    std::thread([lookup] { lookup->run(); }).detach();
  } catch (const std::system_error& error) {
    co_return std::unexpected(Error::system(error.code().value(), "thread for getaddrinfo"));
  }
  uint64_t count = 0;
  auto read = AwaitedOperation(reactor, until, "resolve", [&](io_uring_sqe* entry) {
    io_uring_prep_read(entry, lookup->done, &count, sizeof count, 0);
  });
  const Result<int> finished = co_await read;
  if (!finished) co_return std::unexpected(finished.error());
  if (lookup->result != 0)
    co_return std::unexpected(Error{Error::Kind::resolve, lookup->result, "resolve"});
  co_return std::move(lookup->addresses);
}

}  // namespace ringpost::io
