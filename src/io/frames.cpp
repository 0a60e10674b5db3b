#include "src/io/frames.h"

#include <array>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define RINGPOST_RECYCLE_FRAMES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RINGPOST_RECYCLE_FRAMES 0
#endif
#endif
#ifndef RINGPOST_RECYCLE_FRAMES
#define RINGPOST_RECYCLE_FRAMES 1
#endif

namespace ringpost::io {

#if RINGPOST_RECYCLE_FRAMES

namespace {

constexpr size_t granule = 16, largest = 4096, classes = largest / granule;

class FrameRecycler {
 public:
  ~FrameRecycler() {
    for (Free*& list : free_) {
      while (list != nullptr) ::operator delete(std::exchange(list, list->next));
    }
  }

  void* take(size_t size) {
    const size_t index = (size - 1) / granule;
    if (index >= classes) return ::operator new(size);
    Free* frame = free_[index];
    if (frame == nullptr) [[unlikely]]
      return ::operator new((index + 1) * granule);
    free_[index] = frame->next;
    return frame;
  }
  void give_back(void* memory, size_t size) noexcept {
    const size_t index = (size - 1) / granule;
    if (index >= classes) return ::operator delete(memory);
    free_[index] = new (memory) Free{free_[index]};
  }

 private:
  struct Free {
    Free* next;
  };
  std::array<Free*, classes> free_{};
};

thread_local FrameRecycler recycler;

}  // namespace

void* allocate_frame(size_t size) {
  return recycler.take(size);
}
void free_frame(void* frame, size_t size) noexcept {
  recycler.give_back(frame, size);
}

#else

void* allocate_frame(size_t size) {
  return ::operator new(size);
}
void free_frame(void* frame, size_t) noexcept {
  ::operator delete(frame);
}

#endif

}  // namespace ringpost::io
