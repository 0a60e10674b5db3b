// The file of a listening UNIX socket, as it was when this was made: so that the process that ends
// removes its own file, and not the one that another process has put there since. A value; it owns
// nothing, and the file stays when it goes.
#pragma once

#include <string>

#include <sys/types.h>

namespace ringpost::io {

class SocketFile {
 public:
  // Of no file: a TCP address, or a name that begins with '@'.
  SocketFile() = default;
  explicit SocketFile(std::string path);

  // Does nothing where something else is there by now, or nothing is.
  void remove() const;

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t number_ = 0;  // 0: there was no such file
};

}  // namespace ringpost::io
