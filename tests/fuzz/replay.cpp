// Runs a fuzz target over the files of its saved corpus, where there is no libFuzzer: each file
// once, and every file cut short at each of its first bytes. A target ends the process when its
// invariant breaks.
//
//     <name>_replay FOLDER
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t longest_cut = 512;

// In a heap block of exactly its size, so that AddressSanitizer sees a byte read too far.
void run(const std::string& input, size_t size) {
  const std::unique_ptr<uint8_t[]> block(new uint8_t[size]);
  std::copy_n(input.begin(), size, block.get());
  LLVMFuzzerTestOneInput(block.get(), size);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::printf("%s: %zu bytes\n", entry.path().filename().c_str(), input.size());
    std::fflush(stdout);
    for (size_t size = 0; size < std::min(input.size(), longest_cut); ++size) run(input, size);
    run(input, input.size());
    ++files;
  }
  if (files == 0) {
    std::fprintf(stderr, "%s holds no inputs\n", argv[1]);
    return 1;
  }
  return 0;
}
