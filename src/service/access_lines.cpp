#include "src/service/access_lines.h"

#include <cstdio>
#include <ctime>
#include <utility>

#include "src/ops/log.h"

namespace ringpost::service {

namespace {

// Ids that do not repeat and tell nothing of each other (splitmix64, by Sebastiano Vigna).
uint64_t mix(uint64_t number) {
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}
constexpr uint64_t step = 0x9e3779b97f4a7c15;

void append_text(std::string& out, ops::LogFormat format, std::string_view key,
                 std::string_view value) {
  if (format == ops::LogFormat::json) {
    out.append(",\"").append(key).append("\":");
    ops::append_json_string(out, value);
  } else {
    out.append(" ").append(key).append("=");
    ops::append_logfmt_value(out, value);
  }
}

void append_number(std::string& out, ops::LogFormat format, std::string_view key,
                   std::string_view value) {
  if (format == ops::LogFormat::json)
    out.append(",\"").append(key).append("\":").append(value);
  else
    out.append(" ").append(key).append("=").append(value);
}

}  // namespace

void append_access(std::string& out, ops::LogFormat format, std::string_view time,
                   const http::Access& access, std::string_view request_id) {
  const bool failed = static_cast<unsigned>(access.status) >= 500;
  const std::string_view level = failed ? "error" : "info";
  if (format == ops::LogFormat::json)
    out.append(R"({"time":")")
        .append(time)
        .append(R"(","level":")")
        .append(level)
        .append(R"(","event":"request")");
  else
    out.append(time).append(" level=").append(level).append(" event=request");
  char took[32];
  std::snprintf(took, sizeof took, "%.3f",
                std::chrono::duration<double, std::milli>(access.took).count());
  append_text(out, format, "method", access.method);
  append_text(out, format, "path", access.path);
  append_number(out, format, "status", std::to_string(static_cast<unsigned>(access.status)));
  append_number(out, format, "duration_ms", took);
  append_number(out, format, "bytes", std::to_string(access.bytes));
  append_text(out, format, "peer", access.peer);
  append_text(out, format, "request_id", request_id);
  if (!access.trace_id.empty()) append_text(out, format, "trace_id", access.trace_id);
  out += format == ops::LogFormat::json ? "}\n" : "\n";
}

void AccessLines::write(const http::Access& access) {
  char made[17];
  std::string_view id = access.request_id;
  if (id.empty()) {
    next_id_ += step;
    std::snprintf(made, sizeof made, "%016llx", static_cast<unsigned long long>(mix(next_id_)));
    id = {made, 16};
  }
  append_access(lines_, format_, time(), access, id);
  reactor_.at_end_of_turn(*this);
}

void AccessLines::flush() {
  ops::write_access(std::exchange(lines_, {}));
}

std::string_view AccessLines::time() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  constexpr size_t to_seconds = 19;  // "2026-01-31T08:00:00"
  if (now.tv_sec != second_) {
    second_ = now.tv_sec;
    std::tm parts{};
    gmtime_r(&now.tv_sec, &parts);
    std::strftime(time_, sizeof time_, "%Y-%m-%dT%H:%M:%S", &parts);
  }
  std::snprintf(time_ + to_seconds, sizeof time_ - to_seconds, ".%03dZ",
                static_cast<int>(now.tv_nsec / 1'000'000));
  return {time_, to_seconds + 5};
}

}  // namespace ringpost::service
