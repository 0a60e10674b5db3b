// What stands between this process and io_uring, and what to do about it.
#pragma once

#include <filesystem>
#include <string>

namespace ringpost::ops {

// One line for the person who started the server: `code` and `step` are those of io::RingError.
// `root` stands for "/".
std::string explain_ring_error(int code, const char* step, const std::filesystem::path& root = "/");

// "6.18.44-generic"; empty when it can't be found out. Of this system also where /proc is masked.
std::string kernel_release(const std::filesystem::path& root = "/");

}  // namespace ringpost::ops
