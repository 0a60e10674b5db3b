#include "src/io/socket_file.h"

#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace ringpost::io {

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat file{};
  if (path_.empty() || path_.front() == '@' || ::lstat(path_.c_str(), &file) != 0) return;
  device_ = file.st_dev;
  number_ = file.st_ino;
}

void SocketFile::remove() const {
  struct stat file{};
  if (number_ != 0 && ::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ &&
      file.st_ino == number_)
    ::unlink(path_.c_str());
}

}  // namespace ringpost::io
