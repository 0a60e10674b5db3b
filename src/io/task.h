// Task<T>: a lazy coroutine with one owner. It starts when it is awaited (or spawned into a Scope),
// and hands control back to its awaiter by symmetric transfer when it ends. The Task owns the frame
// and frees it; it is awaited once, as an rvalue.
//
// An exception that leaves the coroutine is thrown again where it is awaited; on the request path
// errors are values. Arguments of a coroutine are copied into its frame: pass what must live by
// value, and views only with their owner above.
//
// Which task runs is noted, a plain store at each change, so that a profile (profiler.h) can name
// it and, from one to the next above it, all that wait for it.
#pragma once

#include <cassert>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "src/io/frames.h"
#include "src/io/running.h"

namespace ringpost::io {

class Scope;
template <class T>
class Task;

namespace detail {

// Ends a spawned task: frees its frame and tells its scope (scope.cpp).
void child_ended(Scope& scope, std::coroutine_handle<> frame) noexcept;

class PromiseBase {
 public:
  static void* operator new(size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, size_t size) noexcept { free_frame(frame, size); }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      PromiseBase& promise = ended.promise();
      note_running(promise.continuation_.address());  // before the frame can be freed
      if (promise.scope_ == nullptr) return promise.continuation_;
      child_ended(*promise.scope_, ended);
      return std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept {
    if (scope_ != nullptr) std::terminate();  // nobody is there to be told
    exception_ = std::current_exception();
  }

  void continue_with(std::coroutine_handle<> continuation) { continuation_ = continuation; }
  void end_in(Scope& scope) { scope_ = &scope; }
  // The frame of who waits for this task, or owns the scope that it was spawned into; null where
  // that is unknown.
  void* awaiter() const;

 protected:
  void rethrow() const {
    if (exception_) [[unlikely]]
      std::rethrow_exception(exception_);
  }

 private:
  std::coroutine_handle<> continuation_;  // none of a spawned task
  Scope* scope_ = nullptr;
  std::exception_ptr exception_;
};

template <class T>
class Promise : public PromiseBase {
 public:
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T result() {
    rethrow();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void result() const { rethrow(); }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> frame;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) const noexcept {
        frame.promise().continue_with(awaiter);
        note_running(frame.address());
        return frame;
      }
      T await_resume() const { return frame.promise().result(); }
    };
    assert(frame_);
    return Awaiter{frame_};
  }

  // Gives the frame up to whoever resumes it from now on (Scope).
  std::coroutine_handle<promise_type> release() { return std::exchange(frame_, nullptr); }

 private:
  std::coroutine_handle<promise_type> frame_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() {
  // So that all promises stand at the same place of their frames (profiler.cpp).
  static_assert(alignof(Promise) <= 2 * sizeof(void*));
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> detail::Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

}  // namespace ringpost::io
