// Makes what fails small, and says how to see it again.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/simulation/attempt.h"

namespace ringpost::simulation {

namespace {

using Clock = std::chrono::steady_clock;

class Shrinking {
 public:
  Shrinking(Failure failure, double seconds)
      : least_(std::move(failure)),
        kind_(kind_of(least_.what)),
        end_(Clock::now() +
             std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}

  Failure run() {
    leave_out_clients();
    leave_out_faults();
    leave_out_clients();
    for (const size_t requests : {1U, 2U, 3U, 5U, 8U, 13U, 21U}) {
      Plan less = least_.plan;
      less.requests = requests;
      if (requests >= least_.plan.requests || still_fails(less)) break;
    }
    return least_;
  }

 private:
  bool still_fails(const Plan& plan) {
    if (Clock::now() > end_) return false;
    Failure failure;
    if (attempt(plan, failure) || kind_of(failure.what) != kind_) return false;
    least_ = std::move(failure);
    return true;
  }

  // Half of them, a quarter, and so on, down to each alone.
  void leave_out_clients() {
    std::vector<size_t> clients(least_.plan.clients.begin(), least_.plan.clients.end());
    if (clients.empty())
      for (size_t i = 0; i < 300; ++i) clients.push_back(i);
    for (size_t part = (clients.size() + 1) / 2; part != 0; part = part == 1 ? 0 : (part + 1) / 2) {
      for (size_t at = 0; at < clients.size() && clients.size() > 1;) {
        std::vector<size_t> fewer = clients;
        const auto begin = fewer.begin() + static_cast<std::ptrdiff_t>(at);
        fewer.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(part, fewer.size() - at)));
        Plan less = least_.plan;
        less.clients = std::set<size_t>(fewer.begin(), fewer.end());
        if (!fewer.empty() && still_fails(less))
          clients = std::move(fewer);
        else
          at += part;
      }
    }
  }

  void leave_out_faults() {
    std::vector<std::string> names;
    if (least_.plan.faults == "all") {
      for (size_t i = 0; i < fault_count; ++i) names.emplace_back(name_of(static_cast<Fault>(i)));
    } else {
      for (size_t i = 0; i < fault_count; ++i) {
        const std::string name(name_of(static_cast<Fault>(i)));
        if (("," + least_.plan.faults + ",").find("," + name + ",") != std::string::npos)
          names.push_back(name);
      }
    }
    for (size_t i = 0; i < names.size();) {
      std::string fewer;
      for (size_t j = 0; j < names.size(); ++j)
        if (j != i) fewer += (fewer.empty() ? "" : ",") + names[j];
      Plan less = least_.plan;
      less.faults = fewer.empty() ? "none" : fewer;
      if (still_fails(less))
        names.erase(names.begin() + static_cast<std::ptrdiff_t>(i));
      else
        ++i;
    }
  }

  Failure least_;
  std::string kind_;
  Clock::time_point end_;
};

}  // namespace

Failure shrink(Failure failure, double seconds) {
  return Shrinking(std::move(failure), seconds).run();
}

std::string replay_line(const Plan& plan) {
  std::string line = "make simulate SEED=" + std::to_string(plan.seed);
  if (!plan.clients.empty()) line += " CLIENTS=" + text_of(plan.clients);
  if (plan.requests != SIZE_MAX) line += " REQUESTS=" + std::to_string(plan.requests);
  if (plan.faults != "all") line += " FAULTS=" + plan.faults;
  return line;
}

std::string text_of(const std::set<size_t>& numbers) {
  std::string text;
  for (auto at = numbers.begin(); at != numbers.end();) {
    const size_t first = *at;
    size_t last = first;
    while (++at != numbers.end() && *at == last + 1) last = *at;
    if (!text.empty()) text += ',';
    text += std::to_string(first);
    if (last != first) text += '-' + std::to_string(last);
  }
  return text;
}

bool parse_numbers(const std::string& text, std::set<size_t>& numbers) {
  const char* at = text.c_str();
  while (*at != '\0') {
    char* end = nullptr;
    const size_t first = std::strtoull(at, &end, 10);
    if (end == at) return false;
    size_t last = first;
    if (*end == '-') {
      at = end + 1;
      last = std::strtoull(at, &end, 10);
      if (end == at) return false;
    }
    for (size_t number = first; number <= last; ++number) numbers.insert(number);
    if (*end != '\0' && *end != ',') return false;
    at = *end == ',' ? end + 1 : end;
  }
  return true;
}

}  // namespace ringpost::simulation
