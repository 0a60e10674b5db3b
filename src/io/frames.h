// Memory for coroutine frames: free lists by size, one set a thread, so that a request's frames
// cost a few instructions and come back warm. Frames are freed by the thread that made them (a
// shard's coroutines never leave it). Under AddressSanitizer every frame comes from the heap, so
// that a use after its end is seen.
#pragma once

#include <cstddef>

namespace ringpost::io {

void* allocate_frame(size_t size);
void free_frame(void* frame, size_t size) noexcept;

}  // namespace ringpost::io
