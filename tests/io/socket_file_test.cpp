#include "src/io/socket_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "src/io/listen.h"
#include "tests/support/file_tree.h"

namespace ringpost::io {
namespace {

int listen_at(const std::string& path) {
  return listen_unix(*Address::unix_socket(path), SOCK_STREAM, 0600, 16).value();
}

TEST(SocketFile, IsRemoved) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "http.sock";
  const int fd = listen_at(path);
  SocketFile(path).remove();
  EXPECT_FALSE(std::filesystem::exists(path));
  ::close(fd);
}

TEST(SocketFile, OfAnotherProcessStays) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "http.sock";
  const int first = listen_at(path);
  const SocketFile file(path);
  ::close(first);
  const int second = listen_at(path);  // it replaces the file, whose socket nobody listens on
  file.remove();
  EXPECT_TRUE(std::filesystem::exists(path));
  ::close(second);
}

TEST(SocketFile, WhatWasNotThereIsNotRemoved) {
  const tests::FileTree folder{};
  const std::string path = folder.root() / "http.sock";
  const SocketFile none(path), abstract("@http"), empty;
  const int fd = listen_at(path);
  for (const SocketFile* file : {&none, &abstract, &empty}) file->remove();
  EXPECT_TRUE(std::filesystem::exists(path));
  ::close(fd);
}

}  // namespace
}  // namespace ringpost::io
