#include "src/ops/hidden_variables.h"

#include <cstdlib>
#include <cstring>
#include <string>

namespace ringpost::ops {

namespace {

// What the compiler can't leave out though nobody reads it again.
void overwrite(volatile char* at, size_t size) {
  for (; size != 0; --size) *at++ = 0;
}

}  // namespace

void hide_variables(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    char* const old = std::getenv(name);
    if (old == nullptr) continue;
    std::string value(old);
    // setenv() copies it to memory of its own. Without memory for that it stays where it is.
    if (::setenv(name, value.c_str(), 1) == 0 && std::getenv(name) != old)
      overwrite(old, std::strlen(old));
    overwrite(value.data(), value.size());
  }
}

}  // namespace ringpost::ops
