#include "src/io/offload.h"

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "src/io/awaited_operation.h"

namespace ringpost::io {

namespace {

// Shared by who waits and the thread: either may be done with it first.
struct Job {
  std::function<void()> work;
  int done;  // eventfd
  std::atomic<bool> given_up = false;

  Job(std::function<void()> what, int fd) : work(std::move(what)), done(fd) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() { ::close(done); }
};

class Worker {
 public:
  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      jobs_.clear();
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  // 0, or the errno.
  int add(std::shared_ptr<Job> job) {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= most_offloaded) return EAGAIN;
    if (!thread_.joinable()) try {
        thread_ = std::thread([this] { run(); });
      } catch (const std::system_error& error) {
        return error.code().value();
      }
    jobs_.push_back(std::move(job));
    changed_.notify_one();
    return 0;
  }

 private:
  void run() {
    pthread_setname_np(pthread_self(), "offload");
    // A shard's thread has started this one, and may be kept on one core.
    cpu_set_t all;
    if (sched_getaffinity(getpid(), sizeof all, &all) == 0)
      pthread_setaffinity_np(pthread_self(), sizeof all, &all);
    for (;;) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
        if (ending_) return;
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      if (job->given_up) continue;
      job->work();
      eventfd_write(job->done, 1);
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> jobs_;
  std::thread thread_;
  bool ending_ = false;
};

Worker& worker() {
  static Worker one;
  return one;
}

}  // namespace

Task<Result<void>> offload(Reactor& reactor, std::function<void()> work, Until until) {
  const int done = eventfd(0, EFD_CLOEXEC);
  if (done == -1) co_return std::unexpected(Error::system(errno, "eventfd"));
  const auto job = std::make_shared<Job>(std::move(work), done);
  if (const int error = worker().add(job); error != 0)
    co_return std::unexpected(Error::system(error, "work for another thread"));
  uint64_t count = 0;
  auto reading = AwaitedOperation(
      reactor, until, "work of another thread",
      [&](io_uring_sqe* entry) { io_uring_prep_read(entry, job->done, &count, sizeof count, 0); });
  const Result<int> finished = co_await reading;
  if (finished) co_return Result<void>();
  job->given_up = true;
  co_return std::unexpected(finished.error());
}

}  // namespace ringpost::io
