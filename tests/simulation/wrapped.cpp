// Where the program's system calls go in a simulation. The linker leads calls of SYMBOL to
// __wrap_SYMBOL (ld's --wrap; the list stands in meson.build); what is not the simulated kernel's
// goes on to the real function, as does all while there is no simulation.
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <ctime>
#include <random>

#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/simulation/kernel.h"

using ringpost::simulation::Kernel;

namespace {

Kernel* kernel() {
  return Kernel::current;
}
bool simulated(int fd) {
  return Kernel::current != nullptr && Kernel::current->owns(fd);
}
// As the C library returns it.
int with_errno(int result) {
  if (result >= 0) return result;
  errno = -result;
  return -1;
}
timespec to_timespec(ringpost::simulation::Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {.tv_sec = seconds.count(), .tv_nsec = (time - seconds).count()};
}

}  // namespace

extern "C" {

int __real_io_uring_queue_init_params(unsigned, io_uring*, io_uring_params*);
int __wrap_io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* params) {
  return kernel() != nullptr ? kernel()->setup(entries, ring, params)
                             : __real_io_uring_queue_init_params(entries, ring, params);
}

void __real_io_uring_queue_exit(io_uring*);
void __wrap_io_uring_queue_exit(io_uring* ring) {
  if (kernel() != nullptr)
    kernel()->exit(ring);
  else
    __real_io_uring_queue_exit(ring);
}

int __real_io_uring_submit(io_uring*);
int __wrap_io_uring_submit(io_uring* ring) {
  return kernel() != nullptr ? kernel()->enter(ring, true, 0, false) : __real_io_uring_submit(ring);
}

int __real_io_uring_submit_and_wait(io_uring*, unsigned);
int __wrap_io_uring_submit_and_wait(io_uring* ring, unsigned wait_for) {
  return kernel() != nullptr ? kernel()->enter(ring, true, wait_for, true)
                             : __real_io_uring_submit_and_wait(ring, wait_for);
}

int __real_io_uring_submit_and_wait_timeout(io_uring*, io_uring_cqe**, unsigned, __kernel_timespec*,
                                            sigset_t*);
int __wrap_io_uring_submit_and_wait_timeout(io_uring* ring, io_uring_cqe** cqe, unsigned wait_for,
                                            __kernel_timespec* limit, sigset_t* mask) {
  if (kernel() == nullptr)
    return __real_io_uring_submit_and_wait_timeout(ring, cqe, wait_for, limit, mask);
  *cqe = nullptr;
  return kernel()->enter(
      ring, true, wait_for, true,
      std::chrono::seconds(limit->tv_sec) + std::chrono::nanoseconds(limit->tv_nsec));
}

int __real_io_uring_submit_and_get_events(io_uring*);
int __wrap_io_uring_submit_and_get_events(io_uring* ring) {
  return kernel() != nullptr ? kernel()->enter(ring, true, 0, true)
                             : __real_io_uring_submit_and_get_events(ring);
}

int __real_io_uring_get_events(io_uring*);
int __wrap_io_uring_get_events(io_uring* ring) {
  return kernel() != nullptr ? kernel()->enter(ring, false, 0, true)
                             : __real_io_uring_get_events(ring);
}

// What io_uring_peek_cqe() falls back to when the queue is empty.
int __real___io_uring_get_cqe(io_uring*, io_uring_cqe**, unsigned, unsigned, sigset_t*);
int __wrap___io_uring_get_cqe(io_uring* ring, io_uring_cqe** cqe, unsigned submit,
                              unsigned wait_for, sigset_t* mask) {
  if (kernel() == nullptr) return __real___io_uring_get_cqe(ring, cqe, submit, wait_for, mask);
  *cqe = nullptr;
  return -EAGAIN;
}

int __real_io_uring_register_ring_fd(io_uring*);
int __wrap_io_uring_register_ring_fd(io_uring* ring) {
  return kernel() != nullptr ? 1 : __real_io_uring_register_ring_fd(ring);
}

int __real_io_uring_register_sync_cancel(io_uring*, io_uring_sync_cancel_reg*);
int __wrap_io_uring_register_sync_cancel(io_uring* ring, io_uring_sync_cancel_reg* request) {
  return kernel() != nullptr ? -ENOENT : __real_io_uring_register_sync_cancel(ring, request);
}

int __real_io_uring_register_buf_ring(io_uring*, io_uring_buf_reg*, unsigned);
int __wrap_io_uring_register_buf_ring(io_uring* ring, io_uring_buf_reg* request, unsigned flags) {
  return kernel() != nullptr ? kernel()->register_buffers(*request)
                             : __real_io_uring_register_buf_ring(ring, request, flags);
}

int __real_io_uring_unregister_buf_ring(io_uring*, int);
int __wrap_io_uring_unregister_buf_ring(io_uring* ring, int group) {
  return kernel() != nullptr ? kernel()->unregister_buffers(group)
                             : __real_io_uring_unregister_buf_ring(ring, group);
}

int __real_socket(int, int, int);
int __wrap_socket(int family, int type, int protocol) {
  return kernel() != nullptr ? kernel()->socket(family) : __real_socket(family, type, protocol);
}

int __real_accept4(int, sockaddr*, socklen_t*, int);
int __wrap_accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  return simulated(fd) ? with_errno(kernel()->accept(fd))
                       : __real_accept4(fd, address, length, flags);
}

int __real_close(int);
int __wrap_close(int fd) {
  return simulated(fd) ? with_errno(kernel()->close(fd, "close")) : __real_close(fd);
}

int __real_shutdown(int, int);
int __wrap_shutdown(int fd, int how) {
  return simulated(fd) ? with_errno(kernel()->shutdown(fd)) : __real_shutdown(fd, how);
}

int __real_setsockopt(int, int, int, const void*, socklen_t);
int __wrap_setsockopt(int fd, int level, int name, const void* value, socklen_t length) {
  return simulated(fd) ? with_errno(kernel()->set_option(fd, level, name, value))
                       : __real_setsockopt(fd, level, name, value, length);
}

int __real_getsockopt(int, int, int, void*, socklen_t*);
int __wrap_getsockopt(int fd, int level, int name, void* value, socklen_t* length) {
  return simulated(fd) ? with_errno(kernel()->get_option(fd, level, name, value))
                       : __real_getsockopt(fd, level, name, value, length);
}

int __real_ioctl(int, unsigned long, void*);
int __wrap_ioctl(int fd, unsigned long request, void* argument) {
  if (!simulated(fd)) return __real_ioctl(fd, request, argument);
  return with_errno(kernel()->queued_to_send(fd, static_cast<int*>(argument)));
}

int __real_eventfd(unsigned, int);
int __wrap_eventfd(unsigned count, int flags) {
  return kernel() != nullptr ? kernel()->event(count) : __real_eventfd(count, flags);
}

int __real_eventfd_write(int, eventfd_t);
int __wrap_eventfd_write(int fd, eventfd_t count) {
  return simulated(fd) ? with_errno(kernel()->add_to_event(fd, count))
                       : __real_eventfd_write(fd, count);
}

int __real_clock_gettime(clockid_t, timespec*);
int __wrap_clock_gettime(clockid_t clock, timespec* time) {
  if (kernel() == nullptr) return __real_clock_gettime(clock, time);
  const bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  *time = to_timespec(wall ? kernel()->wall() : kernel()->monotonic());
  return 0;
}

}  // extern "C"

// The two of C++'s library whose names are mangled.
std::chrono::steady_clock::time_point real_steady_now() __asm__(
    "__real__ZNSt6chrono3_V212steady_clock3nowEv");
std::chrono::steady_clock::time_point wrapped_steady_now() __asm__(
    "__wrap__ZNSt6chrono3_V212steady_clock3nowEv");
std::chrono::steady_clock::time_point wrapped_steady_now() {
  if (kernel() == nullptr) return real_steady_now();
  return std::chrono::steady_clock::time_point(kernel()->monotonic());
}

unsigned real_random(void* device) __asm__("__real__ZNSt13random_device9_M_getvalEv");
unsigned wrapped_random(void* device) __asm__("__wrap__ZNSt13random_device9_M_getvalEv");
unsigned wrapped_random(void* device) {
  return kernel() != nullptr ? kernel()->true_random() : real_random(device);
}
