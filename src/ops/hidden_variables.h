// Environment variables that hold secrets, out of sight of who may look at a process:
// /proc/PID/environ and `ps e` show the block that the kernel laid out when the process began.
#pragma once

#include <initializer_list>

namespace ringpost::ops {

// Overwrites their values there. The process and those that it starts have them as before, from
// memory of its own. To be called before there are threads, and before anybody keeps what
// getenv() returned.
void hide_variables(std::initializer_list<const char*> names);

}  // namespace ringpost::ops
