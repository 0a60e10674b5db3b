#include "src/io/profile.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <string_view>
#include <system_error>

#include "src/io/symbols.h"

namespace ringpost::io {

size_t Histogram::bucket_of(uint64_t nanoseconds) {
  const unsigned bits = static_cast<unsigned>(std::bit_width(nanoseconds));
  if (bits <= parts_bits) return nanoseconds;
  if (bits > largest_bits) return bucket_of((uint64_t{1} << largest_bits) - 1);
  const unsigned shift = bits - parts_bits - 1;
  return (size_t{shift} << parts_bits) + (nanoseconds >> shift);
}

uint64_t Histogram::end_of(size_t bucket) {
  constexpr size_t parts = 1 << parts_bits;
  if (bucket < 2 * parts) return bucket;
  const size_t shift = bucket / parts - 1;
  return ((uint64_t{parts + bucket % parts} + 1) << shift) - 1;
}

void Histogram::add(Time time) {
  ++buckets_[bucket_of(static_cast<uint64_t>(std::max(time, Time()).count()))];
  ++count_;
  total_ += time;
}

void Histogram::merge(const Histogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  total_ += other.total_;
}

Histogram::Time Histogram::quantile(double part) const {
  auto left = static_cast<double>(count_) * part;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    left -= buckets_[i];
    if (buckets_[i] != 0 && left <= 0) return Time(end_of(i));
  }
  return {};
}

void Profile::merge(const Profile& other) {
  for (const auto& [stack, ticks] : other.samples) samples[stack] += ticks;
  for (const auto& [wait, times] : other.waits) waits[wait].merge(times);
  lost += other.lost;
}

namespace {

using Names = std::vector<std::string>;
using Addresses = std::span<const void* const>;

Names names_of_tasks(Addresses tasks, Symbols& symbols) {
  Names names;
  for (const void* const task : tasks) names.push_back(symbols.name(task));
  return names;
}

// A return address may be the first of the next function, behind a call that does not return.
Names names_of_frames(Addresses frames, Symbols& symbols) {
  Names names;
  for (const void* const frame : frames)
    names.push_back(symbols.name(names.empty() ? frame : static_cast<const char*>(frame) - 1));
  return names;
}

std::string join_outermost_first(std::span<const std::string> names) {
  std::string line;
  for (size_t i = names.size(); i-- != 0;) line.append(names[i]).append(i == 0 ? "" : ";");
  return line;
}

// Below the frame of the coroutine that runs, the native stack says who resumed it, which is an
// accident of the turn: the tasks that wait for it take that place. A sample from where a function
// that it calls has yet to set up its frame lacks that of the caller, which may be the coroutine's.
std::string joined(const Profile::Stack& stack, Symbols& symbols) {
  const Names tasks = names_of_tasks(stack.tasks, symbols);
  Names frames = names_of_frames(stack.frames, symbols);
  const auto running = std::find_if(frames.begin(), frames.end(), [&](const std::string& frame) {
    return !tasks.empty() &&
           (frame == tasks.front() || frame == "io::Wait::resume" || frame == "io::Scope::spawn");
  });
  if (running == frames.end()) return join_outermost_first(frames);
  frames.erase(running, frames.end());
  frames.insert(frames.end(), tasks.begin(), tasks.end());
  return join_outermost_first(frames);
}

std::string fold(const std::map<std::string, uint64_t>& stacks) {
  std::string text;
  for (const auto& [stack, value] : stacks)
    text.append(stack).append(" ").append(std::to_string(value)).append("\n");
  return text;
}

std::string stack_of(const Profile::Wait& wait, Symbols& symbols) {
  const Names tasks = names_of_tasks(wait.stack.tasks, symbols);
  return join_outermost_first(tasks) + ";" + short_type_name(wait.what);
}

double in_us(Histogram::Time time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

}  // namespace

std::string folded_samples(const Profile& profile, Symbols& symbols) {
  std::map<std::string, uint64_t> stacks;
  for (const auto& [stack, ticks] : profile.samples) stacks[joined(stack, symbols)] += ticks;
  if (profile.lost != 0) stacks["[lost]"] += profile.lost;
  return fold(stacks);
}

std::string folded_waits(const Profile& profile, Symbols& symbols) {
  std::map<std::string, uint64_t> stacks;
  for (const auto& [wait, times] : profile.waits)
    stacks[stack_of(wait, symbols)] += static_cast<uint64_t>(in_us(times.total()));
  return fold(stacks);
}

std::string table_of_waits(const Profile& profile, Symbols& symbols) {
  std::map<std::string, Histogram> by_name;
  for (const auto& [wait, times] : profile.waits) by_name[stack_of(wait, symbols)].merge(times);
  std::vector<std::pair<std::string, Histogram>> rows(by_name.begin(), by_name.end());
  std::sort(rows.begin(), rows.end(), [](const auto& one, const auto& other) {
    return one.second.total() > other.second.total();
  });
  std::string text = "     waits      sum_ms     p50_us     p99_us  tasks; what is awaited\n";
  for (const auto& [stack, times] : rows) {
    char figures[80];
    std::snprintf(figures, sizeof figures, "%10llu %11.1f %10.1f %10.1f  ",
                  static_cast<unsigned long long>(times.count()), in_us(times.total()) / 1000,
                  in_us(times.quantile(0.5)), in_us(times.quantile(0.99)));
    text.append(figures).append(stack).append("\n");
  }
  return text;
}

std::string write_profile(const Profile& profile, const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return folder + ": " + failed.message();
  const auto write = [&](const char* name, const std::string& text) -> std::string {
    const std::string path = folder + "/" + name;
    std::ofstream file(path, std::ios::trunc);
    file << text;
    file.close();
    return file ? "" : path + " can't be written";
  };
  Symbols symbols;
  std::string why = write("cpu.folded", folded_samples(profile, symbols));
  if (why.empty()) why = write("waits.folded", folded_waits(profile, symbols));
  if (why.empty()) why = write("waits.txt", table_of_waits(profile, symbols));
  return why;
}

}  // namespace ringpost::io
