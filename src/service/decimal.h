// The checks of options that are a number or a truth value, for CLI11. That alone would read 010 as
// 8, 0x10 as 16 and, in some releases, 1'000 and +5: what passes here it can only read as it is
// written.
#pragma once

#include <cstdint>

// Options, environment and a help text that wraps: well kept, and known to users.
#include <CLI/CLI.hpp>

namespace ringpost::service {

// From `least` to `most`.
CLI::Validator decimal(uint64_t least, uint64_t most);
// true or false by one of their usual names; CLI11 alone takes any number, and -1 for false.
CLI::Validator truth();

}  // namespace ringpost::service
