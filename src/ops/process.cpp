#include "src/ops/process.h"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

namespace ringpost::ops {

namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Field 22 of stat, ticks since the machine began, behind a name that may hold anything.
double started() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const size_t name_ends = line.rfind(')');
  if (name_ends == std::string::npos) return 0;
  std::istringstream fields(line.substr(name_ends + 2));
  std::string field;
  for (int i = 3; i < 22; ++i) fields >> field;
  double ticks = 0;
  if (!(fields >> ticks)) return 0;
  timespec boot{}, wall{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  clock_gettime(CLOCK_REALTIME, &wall);
  return static_cast<double>(wall.tv_sec - boot.tv_sec) +
         ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Their folder's size, from Linux 6.2 on; before that it is 0, and they are counted.
uint64_t open_descriptors() {
  struct stat folder{};
  if (stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0)
    return static_cast<uint64_t>(folder.st_size);
  uint64_t count = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error))
    ++count;
  return count;
}

}  // namespace

ProcessFigures process_figures() {
  ProcessFigures figures;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0)
    figures.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  std::ifstream memory("/proc/self/statm");
  uint64_t all = 0, resident = 0;
  if (memory >> all >> resident)
    figures.resident_bytes = resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  figures.open_fds = open_descriptors();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_fds = limit.rlim_cur;
  static const double start = started();
  figures.start_seconds = start;
  return figures;
}

}  // namespace ringpost::ops
