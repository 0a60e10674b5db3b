#include "src/ops/outlet.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace ringpost::ops {

namespace {

// Signals are for the main thread.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

uint64_t count_lines(std::string_view text) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

// How many bytes were written: fewer when nobody reads them, or the disk is full.
size_t write_whole(int fd, std::string_view text) {
  const size_t all = text.size();
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {  // another process that shares it has made it non-blocking
      pollfd ready{fd, POLLOUT, 0};
      ::poll(&ready, 1, 1'000);
    } else if (errno != EINTR) {
      break;
    }
  }
  return all - text.size();
}

}  // namespace

Outlet::Outlet(int fd, size_t most_bytes, std::function<void(uint64_t lines)> lost)
    : fd_(fd), most_bytes_(most_bytes), lost_(std::move(lost)) {
  try {
    std::thread([this] { write(); }).detach();
  } catch (const std::system_error& error) {
    throw std::runtime_error(
        "can't start the thread that writes the log: " + error.code().message() +
        "; raise the limit of processes: ulimit -u, TasksMax= of the service, "
        "--pids-limit of the container");
  }
}

void Outlet::put(std::string lines) {
  const std::lock_guard lock(mutex_);
  bytes_ += lines.size();
  waiting_.push_back(std::move(lines));
  while (bytes_ > most_bytes_ && waiting_.size() > 1) {
    bytes_ -= waiting_.front().size();
    lost_lines_ += count_lines(waiting_.front());
    waiting_.pop_front();
  }
  filled_.notify_one();
}

void Outlet::call_at(Clock::time_point when, void (*what)()) {
  const std::lock_guard lock(mutex_);
  due_ = when;
  call_ = what;
  filled_.notify_one();
}

bool Outlet::drain(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return drained_.wait_for(lock, limit, [this] { return waiting_.empty() && !writing_; });
}

// Until there is something to do: true when that is the call.
bool Outlet::wait(std::unique_lock<std::mutex>& lock) {
  while (waiting_.empty() && lost_lines_ == 0) {
    if (!due_)
      filled_.wait(lock);
    else if (filled_.wait_until(lock, *due_) == std::cv_status::timeout)
      return true;
  }
  return due_ && Clock::now() >= *due_;
}

// How many were lost before, when something can be written again. A line that was begun is ended
// first, as what follows would be a part of it.
uint64_t Outlet::write_lines(std::string_view text) {
  if (text.empty()) return 0;
  if (torn_ && write_whole(fd_, "\n") == 1) torn_ = false;
  const size_t written = torn_ ? 0 : write_whole(fd_, text);
  if (written != 0) torn_ = text[written - 1] != '\n';
  if (written == text.size()) return std::exchange(unwritten_lines_, 0);
  unwritten_lines_ += count_lines(text.substr(written));
  return 0;
}

void Outlet::write() {
  block_signals();
  std::unique_lock lock(mutex_);
  for (;;) {
    if (wait(lock)) {
      due_.reset();
      lock.unlock();
      call_();
      lock.lock();
    }
    std::string text;
    for (; !waiting_.empty(); waiting_.pop_front()) text += waiting_.front();
    bytes_ = 0;
    const uint64_t lost = std::exchange(lost_lines_, 0);
    writing_ = true;
    lock.unlock();
    const uint64_t told = lost + write_lines(text);
    if (told != 0) lost_(told);
    lock.lock();
    writing_ = false;
    if (waiting_.empty()) drained_.notify_all();
  }
}

}  // namespace ringpost::ops
