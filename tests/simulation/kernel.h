// Kernel: io_uring and the socket calls, simulated for one thread.
//
// The program under test runs as it ships: its calls to liburing and to the C library are led here
// when it is linked (wrapped.cpp), and what liburing has inline works on the rings that this kernel
// lays out in memory. Entries are seen when they are submitted and completions are shown when the
// program asks for them, as with IORING_SETUP_DEFER_TASKRUN; in between, everything takes its time
// in the World, and goes wrong as its faults say.
//
// It also looks at what no real kernel checks: that a buffer on its way is left alone, that each
// receive buffer has one owner, that descriptors end once and with nothing going on on them, and
// that all is given back in the end.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <liburing.h>

#include "tests/simulation/network.h"
#include "tests/simulation/world.h"

namespace ringpost::simulation {

// What listens where the program connects to.
class Remote {
 public:
  // 0 when the connection is taken, else the errno that connect() ends with; -1: no answer comes.
  virtual int connected(const std::shared_ptr<Link>& link) = 0;

 protected:
  ~Remote() = default;
};

class Kernel {
 public:
  // The numbers of its descriptors; what is below belongs to the real kernel.
  static constexpr int first_fd = 1'000'000;
  // Whom the wrapped calls go to; nullptr: to the real ones.
  static Kernel* current;

  // `remote` is everywhere, but where `second_remote` is: at 10.0.0.2.
  Kernel(World& world, Remote* remote);
  Remote* second_remote = nullptr;
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  // For whoever sets a simulation up.
  int listen(int send_buffer);
  // A client has come: it waits in the backlog until it is accepted.
  void arrive(int listening_fd, const std::shared_ptr<Link>& link);
  // Two connected sockets, as socketpair() makes them.
  std::pair<int, int> pair();
  size_t open_descriptors() const { return descriptors_.size(); }
  size_t accepted() const { return accepted_; }
  // The limits that the program has set itself; 0: none.
  size_t most_accepted = 0;
  size_t most_unread = 0;  // bytes of answers that clients have not taken, but for small ones
  Time write_timeout{};
  Time latency = 200us, remote_latency = 200us;  // of clients, and of the remote
  size_t segment = 0;
  // The count that an eventfd has at least when it orders the drain, and when that was obeyed.
  uint64_t drain_order = UINT64_MAX;
  Time drained_at = Time::max();
  // Nothing is pending and nothing open but `kept` descriptors.
  void check_nothing_left(size_t kept);

  // What the program calls.
  int setup(unsigned entries, io_uring* ring, io_uring_params* params);
  void exit(io_uring* ring);
  int enter(io_uring* ring, bool submit, unsigned wait_for, bool get_events,
            Time limit = Time::max());
  int register_buffers(const io_uring_buf_reg& registration);
  int unregister_buffers(int group);
  int socket(int family);
  int accept(int fd);
  int close(int fd, const char* by);
  int shutdown(int fd);
  int set_option(int fd, int level, int name, const void* value);
  int get_option(int fd, int level, int name, void* value);
  int queued_to_send(int fd, int* bytes);
  int event(unsigned count);
  int add_to_event(int fd, uint64_t count);
  uint32_t true_random() { return static_cast<uint32_t>(world_.random.next()); }
  // Of CLOCK_MONOTONIC and CLOCK_REALTIME.
  Time monotonic() const { return boot + world_.now(); }
  Time wall() const { return wall_ + world_.now(); }
  // The wall clock is set forward or back.
  void jump_wall(Time by) { wall_ += by; }
  bool owns(int fd) const { return fd >= first_fd; }

 private:
  static constexpr Time boot = 1'000s;

  struct Descriptor;
  // A request that was submitted, until its last completion has been shown.
  struct Operation {
    uint64_t number = 0, user_data = 0;
    io_uring_sqe entry{};
    Descriptor* on = nullptr;
    size_t done = 0;          // bytes sent, or the count of an eventfd
    uint64_t checksum = 0;    // of the bytes to send
    Time begun{};             // the first send of these bytes
    Time due{};               // of a timeout
    Time shown_from{};        // no completion is shown before
    uint64_t generation = 0;  // of a timeout: those that were planned before are void
    bool planned = false, finished = false;
  };
  struct Completion {
    Time shown_from;
    Operation* operation;  // nullptr: nobody waits on it
    uint64_t user_data;
    int result;
    uint32_t flags;
    bool at_once;  // while its entry was taken
  };
  struct Descriptor final : Side::Owner {
    enum class Kind : uint8_t { fresh, connected, listening, event } kind = Kind::fresh;
    Kernel* kernel = nullptr;
    int fd = -1, family = 0;
    bool accepted = false, abort = false;
    std::shared_ptr<Link> link;
    Side* side = nullptr;
    std::deque<std::shared_ptr<Link>> backlog;
    uint64_t count = 0;
    size_t send_room = 65'536;
    std::vector<Operation*> operations;
    // Of the last send that was cut short: where the rest begins, and since when it is tried.
    uint64_t rest_at = 0;
    Time rest_since{};
    void changed(Side&) override { kernel->wake(*this); }
  };
  struct BufferGroup {
    io_uring_buf_ring* ring = nullptr;
    unsigned entries = 0;
    uint16_t head = 0, seen = 0;
    struct Buffer {
      uint64_t address = 0;
      uint32_t length = 0;
      bool with_kernel = false;
    };
    std::vector<Buffer> buffers;
  };
  // What a real kernel maps into the program.
  struct Rings {
    unsigned sq_head = 0, sq_tail = 0, sq_mask = 0, sq_entries = 0, sq_flags = 0, sq_dropped = 0;
    unsigned cq_head = 0, cq_tail = 0, cq_mask = 0, cq_entries = 0, cq_flags = 0, cq_overflow = 0;
    std::vector<unsigned> array;
    std::vector<io_uring_sqe> sqes;
    std::vector<io_uring_cqe> cqes;
  };

  Descriptor& add(Descriptor::Kind kind);
  Descriptor& find(int fd, const char* by);
  void connect(Descriptor& descriptor, const std::shared_ptr<Link>& link, Side& side);

  unsigned take_entries(io_uring* ring, unsigned count);
  void begin(const io_uring_sqe& entry);
  void begin_send(Operation& operation);
  void begin_connect(Operation& operation);
  void begin_timeout(Operation& operation);
  void plan_timeout(Operation& operation);
  int cancel(uint64_t user_data);
  int update_timeout(const io_uring_sqe& entry);

  void wake(Descriptor& descriptor);
  void plan(Operation& operation);
  void run_planned();
  void attempt(Operation& operation);
  void attempt_receive(Operation& operation);
  void attempt_send(Operation& operation);
  void attempt_accept(Operation& operation);
  void watch_send(uint64_t number, Time since);

  void look_at_buffers();
  bool pick_buffer(BufferGroup& group, uint16_t& buffer, BufferGroup::Buffer*& memory);

  static void fill(const BufferGroup::Buffer& buffer, std::string_view bytes);

  void post(Operation* operation, uint64_t user_data, int result, uint32_t flags = 0);
  void finish(Operation& operation, int result, uint32_t flags = 0);
  unsigned show(io_uring* ring, bool at_once_only = false);
  void shuffle(std::vector<Completion>& completions);
  void end(Operation& operation, int result);
  void mark_drain();
  void check_unread() const;

  World& world_;
  Remote* remote_;
  Random random_;
  std::unique_ptr<Rings> rings_;
  int next_fd_ = first_fd;
  std::map<int, std::unique_ptr<Descriptor>> descriptors_;
  uint64_t next_number_ = 1;
  std::map<uint64_t, std::unique_ptr<Operation>> operations_;  // by number
  std::unordered_map<uint64_t, Operation*> by_user_data_;
  std::vector<uint64_t> runnable_;  // operations, by number
  std::vector<Completion> finished_;
  std::map<int, BufferGroup> groups_;
  size_t accepted_ = 0;
  unsigned spins_ = 0;
  uint64_t expired_ = 0;  // timeouts of which the program was told
  bool taking_ = false;
  unsigned drain_shown_ = 0;  // calls until it is obeyed
  Time wall_ = 1'769'846'400s;
};

}  // namespace ringpost::simulation
