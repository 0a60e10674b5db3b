#include "src/io/profiler.h"

#include <cerrno>
#include <coroutine>
#include <system_error>
#include <typeinfo>
#include <utility>

#include <pthread.h>
#include <ucontext.h>
#include <unistd.h>

#include "src/io/running.h"
#include "src/io/task.h"
#include "src/io/wait.h"

namespace ringpost::io {

namespace {

// That of this thread, or null. Read in the handler, so that it must be found without a call.
[[gnu::tls_model("initial-exec")]] constinit thread_local Profiler* profiler = nullptr;

struct Registers {
  uintptr_t code, frame, stack;
};

#if defined(__x86_64__)
Registers registers_of(const ucontext_t& context) {
  const auto& all = context.uc_mcontext.gregs;
  return {static_cast<uintptr_t>(all[REG_RIP]), static_cast<uintptr_t>(all[REG_RBP]),
          static_cast<uintptr_t>(all[REG_RSP])};
}
#elif defined(__aarch64__)
Registers registers_of(const ucontext_t& context) {
  const auto& all = context.uc_mcontext;
  return {all.pc, all.regs[29], all.sp};
}
#else
#error "profiler.cpp: say where this processor keeps its program counter, frame and stack pointer"
#endif

// On both processors a frame pointer points at the caller's, and the address to return to is
// behind.
struct NativeFrame {
  uintptr_t caller;
  const void* returns_to;
};

// Writes at most `most` addresses of code, the innermost first; how many. AddressSanitizer would
// take some of these words for others' that must not be read.
__attribute__((no_sanitize("address"))) size_t native_stack(const Registers& at,
                                                            uintptr_t stack_end, const void** out,
                                                            size_t most) {
  out[0] = reinterpret_cast<const void*>(at.code);
  size_t count = 1;
  uintptr_t lowest = at.stack;
  const uintptr_t highest = stack_end - sizeof(NativeFrame);
  // Code without frame pointers may hold anything there.
  for (uintptr_t frame = at.frame;
       count < most && frame >= lowest && frame <= highest && frame % alignof(NativeFrame) == 0;) {
    const auto* native = reinterpret_cast<const NativeFrame*>(frame);
    if (native->returns_to == nullptr) break;
    out[count++] = native->returns_to;
    lowest = frame + sizeof(NativeFrame);
    frame = native->caller;
  }
  return count;
}

// A coroutine's frame begins with the functions that resume and destroy it (the Itanium ABI of
// coroutines, which GCC and clang share); the first is null once it is at its end.
const void* code_of(const void* frame) {
  return static_cast<const void* const*>(frame)[1];
}

// All tasks' promises begin with a PromiseBase, and stand where one alone would (task.h).
const void* above(const void* frame) {
  return std::coroutine_handle<detail::PromiseBase>::from_address(const_cast<void*>(frame))
      .promise()
      .awaiter();
}

timer_t timer_for_this_thread() {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGPROF;
  event._sigev_un._tid = gettid();  // sigev_notify_thread_id, which glibc names since 2.39 or so
  timer_t timer{};
  if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) != 0)
    throw std::system_error(errno, std::generic_category(), "timer_create");
  return timer;
}

uintptr_t end_of_stack() {
  pthread_attr_t attributes;
  void* begin = nullptr;
  size_t size = 0;
  if (const int error = pthread_getattr_np(pthread_self(), &attributes); error != 0)
    throw std::system_error(error, std::generic_category(), "pthread_getattr_np");
  pthread_attr_getstack(&attributes, &begin, &size);
  pthread_attr_destroy(&attributes);
  return reinterpret_cast<uintptr_t>(begin) + size;
}

}  // namespace

Profiler::Profiler(std::chrono::nanoseconds interval)
    : samples_(std::make_unique<std::array<Sample, capacity>>()), stack_end_(end_of_stack()) {
  // It stays when the profiler ends: a last signal may be on its way.
  struct sigaction action{};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGPROF, &action, nullptr);
  timer_ = timer_for_this_thread();
  profiler = this;
  ++count_;
  itimerspec every{};
  every.it_interval.tv_sec = interval.count() / 1'000'000'000;
  every.it_interval.tv_nsec = interval.count() % 1'000'000'000;
  every.it_value = every.it_interval;
  timer_settime(timer_, 0, &every, nullptr);
}

Profiler::~Profiler() {
  timer_delete(timer_);
  profiler = nullptr;
  --count_;
}

void Profiler::handle(int, siginfo_t* info, void* context) {
  if (profiler == nullptr) return;
  const int missed = info->si_code == SI_TIMER ? info->si_overrun : 0;
  profiler->note(1 + static_cast<uint32_t>(missed), context);
}

void Profiler::note(uint32_t ticks, const void* context) {
  const size_t written = written_.load(std::memory_order_relaxed);
  if (written - read_.load(std::memory_order_relaxed) == capacity) {
    lost_.store(lost_.load(std::memory_order_relaxed) + ticks, std::memory_order_relaxed);
    return;
  }
  Sample& sample = (*samples_)[written % capacity];
  sample.ticks = ticks;
  sample.tasks = 0;
  for (const void* frame = running_task(); frame != nullptr && sample.tasks < most_tasks;
       frame = above(frame))
    sample.code[sample.tasks++] = code_of(frame);
  sample.frames =
      static_cast<uint16_t>(native_stack(registers_of(*static_cast<const ucontext_t*>(context)),
                                         stack_end_, &sample.code[sample.tasks], most_frames));
  std::atomic_signal_fence(std::memory_order_release);
  written_.store(written + 1, std::memory_order_relaxed);
}

void Profiler::collect() {
  const size_t written = written_.load(std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_acquire);
  for (size_t i = read_.load(std::memory_order_relaxed); i != written; ++i) {
    const Sample& sample = (*samples_)[i % capacity];
    const auto* tasks = sample.code.data();
    const auto* frames = tasks + sample.tasks;
    Profile::Stack stack;
    stack.tasks.assign(tasks, frames);
    stack.frames.assign(frames, frames + sample.frames);
    profile_.samples[std::move(stack)] += sample.ticks;
    std::atomic_signal_fence(std::memory_order_release);
    read_.store(i + 1, std::memory_order_relaxed);
  }
}

Profile Profiler::take() {
  collect();
  // Who waits still does; what they are timed by goes with the profile.
  waiting_.clear();
  profile_.lost = lost_.exchange(0);
  return std::exchange(profile_, {});
}

void Profiler::wait_begins(const Wait& wait, const void* awaiter) {
  if (profiler != nullptr) profiler->begin(wait, awaiter);
}

void Profiler::wait_ends(const Wait& wait) {
  if (profiler != nullptr) profiler->end(wait);
}

void Profiler::begin(const Wait& wait, const void* awaiter) {
  if (written_.load(std::memory_order_relaxed) - read_.load(std::memory_order_relaxed) >=
      capacity / 2)
    collect();
  key_.what = typeid(wait).name();
  key_.stack.tasks.clear();
  for (const void* frame = awaiter; frame != nullptr && key_.stack.tasks.size() < most_tasks;
       frame = above(frame))
    key_.stack.tasks.push_back(code_of(frame));
  // A map's elements stay where they are.
  waiting_[&wait] = {&profile_.waits[key_], Clock::now()};
}

void Profiler::end(const Wait& wait) {
  const auto begun = waiting_.find(&wait);
  if (begun == waiting_.end()) return;  // before the profile began
  begun->second.times->add(Clock::now() - begun->second.since);
  waiting_.erase(begun);
}

}  // namespace ringpost::io
