#include "src/io/symbols.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>
#include <vector>

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>

namespace ringpost::io {

namespace {

std::string demangle(const char* mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
  return text ? text.get() : mangled;
}

void remove_all(std::string& text, std::string_view part) {
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at))
    text.erase(at, part.size());
}

// Without what stands between `open` and its `close`, both included.
std::string without_groups(std::string_view text, char open, char close) {
  std::string rest;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool arrow = close == '>' && i != 0 && text[i - 1] == '-';
    if (text[i] == open) ++depth;
    if (depth == 0) rest += text[i];
    if (text[i] == close && !arrow && depth > 0) --depth;
  }
  return rest;
}

std::string without_namespaces(std::string text) {
  for (const std::string_view part : {"(anonymous namespace)::", "ringpost::", "[abi:cxx11]"})
    remove_all(text, part);
  return text;
}

std::string short_name(const char* mangled) {
  std::string text = without_namespaces(demangle(mangled));
  // A part of a function: GCC's `.actor`, `.destroy`, `.cold`, clang's `.resume`, `.destroy`.
  text.resize(std::min(text.size(), text.find(" [clone ")));
  if (text.find("operator") == std::string::npos) text = without_groups(text, '<', '>');
  text = without_groups(text, '(', ')');
  // A template's has its result before it, a member function's its qualifiers behind.
  if (text.ends_with(" const")) text.resize(text.size() - 6);
  if (text.ends_with("}::operator")) text.resize(text.size() - 10);  // a lambda's
  if (text.find("operator") == std::string::npos) text.erase(0, text.rfind(' ') + 1);
  return text;
}

std::vector<char> read_whole(const char* path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<char> bytes(file ? static_cast<size_t>(file.tellg()) : 0);
  file.seekg(0);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

uintptr_t address_of_program() {
  uintptr_t address = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* program, size_t, void* out) {
        *static_cast<uintptr_t*>(out) = program->dlpi_addr;
        return 1;  // the first is the program
      },
      &address);
  return address;
}

}  // namespace

Symbols::Symbols() : file_(read_whole("/proc/self/exe")) {
  const auto at = [&]<class T>(size_t offset, T& value) {
    const bool inside = offset + sizeof value <= file_.size();
    if (inside) std::memcpy(&value, file_.data() + offset, sizeof value);
    return inside;
  };
  const uintptr_t base = address_of_program();
  ElfW(Ehdr) header{};
  if (!at(0, header)) return;
  for (size_t i = 0; i < header.e_shnum; ++i) {
    ElfW(Shdr) table{}, strings{};
    if (!at(header.e_shoff + i * sizeof table, table) || table.sh_type != SHT_SYMTAB ||
        !at(header.e_shoff + table.sh_link * sizeof strings, strings))
      continue;
    ElfW(Sym) symbol{};
    for (size_t offset = 0; offset < table.sh_size; offset += sizeof symbol) {
      if (!at(table.sh_offset + offset, symbol)) break;
      const size_t name = strings.sh_offset + symbol.st_name;
      // The macro is the same for both widths.
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value == 0 || name >= file_.size())
        continue;
      const uintptr_t begin = base + symbol.st_value;
      program_.push_back({begin, begin + symbol.st_size, file_.data() + name});
    }
  }
  std::ranges::sort(program_, {}, &Function::begin);
}

const char* Symbols::find(uintptr_t code) const {
  const auto next = std::ranges::upper_bound(program_, code, {}, &Function::begin);
  if (next == program_.begin() || code >= std::prev(next)->end) return nullptr;
  return std::prev(next)->name;
}

std::string Symbols::name(const void* code) {
  std::string& name = known_[code];
  if (!name.empty()) return name;
  if (const char* found = find(reinterpret_cast<uintptr_t>(code)); found != nullptr)
    return name = short_name(found);
  Dl_info info{};
  if (dladdr(code, &info) == 0) return name = "[unknown]";
  if (info.dli_sname != nullptr) return name = short_name(info.dli_sname);
  const std::string_view path = info.dli_fname;
  return name = "[" + std::string(path.substr(path.rfind('/') + 1)) + "]";
}

std::string short_type_name(const char* mangled) {
  return without_groups(without_namespaces(demangle(mangled)), '(', ')');
}

}  // namespace ringpost::io
