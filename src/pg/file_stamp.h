// FileStamp: by which a change of a file, and of who may read it, is seen; all zero where there is
// none.
#pragma once

#include <cstdint>
#include <string>

#include <sys/stat.h>

namespace ringpost::pg {

struct FileStamp {
  FileStamp() = default;
  explicit FileStamp(const std::string& path) {
    struct stat status{};
    if (path.empty() || ::stat(path.c_str(), &status) != 0) return;
    device = status.st_dev;
    inode = status.st_ino;
    size = status.st_size;
    changed_ns = int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec;
  }
  bool operator==(const FileStamp&) const = default;

  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  int64_t changed_ns = 0;
};

}  // namespace ringpost::pg
