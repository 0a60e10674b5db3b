#include "src/io/probe.h"

#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

#include "src/io/buffer_group.h"
#include "src/io/ring.h"

namespace ringpost::io {

namespace {

constexpr std::array operations = {IORING_OP_ACCEPT,  IORING_OP_ASYNC_CANCEL, IORING_OP_CLOSE,
                                   IORING_OP_CONNECT, IORING_OP_READ,         IORING_OP_RECV,
                                   IORING_OP_SEND,    IORING_OP_TIMEOUT};

void check_operations(Ring& ring) {
  io_uring_probe* probe = io_uring_get_probe_ring(&ring.raw());
  if (probe == nullptr) throw RingError(ENOMEM, "io_uring_register(PROBE)");
  bool all = true;
  for (const int operation : operations) all &= io_uring_opcode_supported(probe, operation) != 0;
  io_uring_free_probe(probe);
  if (!all) throw RingError(EOPNOTSUPP, "io_uring operations");
  if ((ring.raw().features & IORING_FEAT_NODROP) == 0)
    throw RingError(EOPNOTSUPP, "IORING_FEAT_NODROP");
}

// Counts the bytes that one request brings, and gives the buffers back.
class Receive final : public Operation {
 public:
  explicit Receive(BufferGroup& group) : group_(group) {}
  void complete(int result, uint32_t flags) override {
    if (result > 0) {
      received += result;
      group_.taken();
      group_.give_back(static_cast<uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT));
    } else if (result < 0) {
      error = -result;
    }
    armed = (flags & IORING_CQE_F_MORE) != 0;
  }
  int received = 0, error = 0;
  bool armed = true;

 private:
  BufferGroup& group_;
};

struct Pair {
  Pair() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw RingError(errno, "socketpair");
  }
  ~Pair() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  int ends[2];
};

void check_multishot_receive(Ring& ring) {
  BufferGroup group(ring, 0, 4, 64);
  Receive receive(group);
  Pair pair;
  io_uring_sqe* entry = ring.prepare(&receive);
  io_uring_prep_recv_multishot(entry, pair.ends[0], nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = group.id();
  for (int expected = 1; expected <= 2; ++expected) {
    if (::send(pair.ends[1], "x", 1, MSG_NOSIGNAL) != 1) throw RingError(errno, "send");
    while (receive.armed && receive.received < expected) {
      ring.submit(true);
      ring.reap();
    }
    if (!receive.armed)
      throw RingError(receive.error != 0 ? receive.error : EOPNOTSUPP, "multishot receive");
  }
  ring.cancel(receive);
  while (receive.armed) {
    ring.submit(true);
    ring.reap();
  }
}

// Whether a send that does not wait says how much of it was taken (6.1): by that the rest is sent.
void check_send(Ring& ring) {
  class Send final : public Operation {
   public:
    void complete(int completed_with, uint32_t) override { result = completed_with; }
    int result = 0;
  } send;
  const Pair pair;
  const std::string more_than_fits(4 << 20, 'x');
  ring.send_now(send, pair.ends[0], more_than_fits);
  ring.submit(false);
  ring.reap();
  if (send.result <= 0 || static_cast<size_t>(send.result) >= more_than_fits.size())
    throw RingError(send.result < 0 ? -send.result : EOPNOTSUPP, "a send that does not wait");
}

}  // namespace

void probe_kernel() {
  Ring ring(8, 16);
  check_operations(ring);
  check_multishot_receive(ring);
  check_send(ring);
}

std::vector<ProbedFeature> probe_features() {
  std::vector<ProbedFeature> features;
  const auto probe = [&features](const char* name, auto&& step) {
    ProbedFeature& feature = features.emplace_back(name);
    try {
      step();
      return true;
    } catch (const RingError& error) {
      feature.error = error.code;
      feature.step = error.step;
      return false;
    }
  };
  std::optional<Ring> ring;
  if (!probe("a ring", [&] { ring.emplace(8, 16); })) return features;
  probe("its operations", [&] { check_operations(*ring); });
  probe("receiving into buffers that it chooses itself", [&] { check_multishot_receive(*ring); });
  probe("sending without waiting", [&] { check_send(*ring); });
  return features;
}

}  // namespace ringpost::io
