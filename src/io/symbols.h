// Symbols: names of functions of this process by their addresses. Those of the program come from
// its file's symbol table, where coroutines are, which dladdr() does not look into; those of shared
// libraries from dladdr(). It is slow, and takes memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ringpost::io {

class Symbols {
 public:
  // Reads the program's table. One that was stripped names nothing.
  Symbols();

  // The function that `code` is in, shortly: no parameters, no template arguments, no `ringpost::`.
  // A coroutine's parts have its own name. Where there is none, the library's name in brackets.
  std::string name(const void* code);

 private:
  struct Function {
    uintptr_t begin, end;
    const char* name;  // mangled, in file_
  };
  const char* find(uintptr_t code) const;

  std::vector<char> file_;
  std::vector<Function> program_;  // by where they begin
  std::map<const void*, std::string> known_;
};

// A type as type_info::name() has it, with its template arguments, shortly.
std::string short_type_name(const char* mangled);

}  // namespace ringpost::io
