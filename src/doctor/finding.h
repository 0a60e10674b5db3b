// Finding: one thing that was looked at, in plain words, and what to do where it is not as it has
// to be. A report is a list of them: what `ringpost doctor` and `--check` print.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::doctor {

struct Finding {
  enum class Verdict : uint8_t {
    fit,
    note,   // it serves as it is, and could be better
    unfit,  // something has to be done
  };
  Verdict verdict;
  std::string what;         // one line, with what was found
  std::string advice = {};  // what to do; empty where there is nothing
};
using Findings = std::vector<Finding>;

inline Finding fit(std::string what) {
  return {Finding::Verdict::fit, std::move(what), {}};
}
inline Finding note(std::string what, std::string advice) {
  return {Finding::Verdict::note, std::move(what), std::move(advice)};
}
inline Finding unfit(std::string what, std::string advice) {
  return {Finding::Verdict::unfit, std::move(what), std::move(advice)};
}

inline bool all_fit(const Findings& findings) {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& each) { return each.verdict == Finding::Verdict::unfit; });
}

// A line each, "yes", "but" or "NO" before it, and its advice below.
std::string to_text(const Findings& findings);

}  // namespace ringpost::doctor
