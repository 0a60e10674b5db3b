// Wiping what was secret, so that it is not left behind in memory that others get next. The
// compiler may not leave this out, as it may an ordinary assignment to what is about to end.
#pragma once

#include <cstddef>
#include <string>

namespace ringpost::proto::wire {

inline void wipe(void* at, size_t size) {
  for (volatile char* byte = static_cast<char*>(at); size != 0; --size) *byte++ = 0;
}

// All that it has storage for, and it is empty then.
inline void wipe(std::string& text) {
  text.resize(text.capacity());
  wipe(text.data(), text.size());
  text.clear();
}

}  // namespace ringpost::proto::wire
