// simulate: tries seeds, as many as there is time for, or those that are asked for. The first that
// violates an invariant ends it, with one line to see it again, made as small as can be.
//
//     simulate [--seconds N | --seeds FIRST COUNT | --seed N [--clients LIST] [--requests N]
//              [--faults LIST]] [--verbose N] [--processes N]
//     simulate --survey SECONDS [--seed FIRST]
//     simulate --hashes FIRST COUNT
//
// A survey goes on after what it finds, and lists each kind of it. Hashes are of all that happens:
// they are the same each time.
// Exit status: 0 when nothing was found, 1 when something was.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include <unistd.h>

#include "tests/simulation/attempt.h"

using namespace ringpost::simulation;

namespace {

struct Options {
  Plan plan;
  uint64_t count = UINT64_MAX;
  double seconds = 60;  // at most a day
  bool one = false, survey = false, hashes = false;
  unsigned processes = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN));
};

[[noreturn]] void refuse(const char* argument) {
  std::fprintf(stderr, "simulate: what is %s? (the first lines of simulate.cpp tell)\n", argument);
  std::exit(2);
}

Options read_options(int argc, char** argv) {
  Options options;
  options.plan.seed = static_cast<uint64_t>(std::time(nullptr)) * 1'000'000;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) refuse(argv[i]);
    const char* value = argv[++i];
    if (name == "--seconds") {
      options.seconds = std::strtod(value, nullptr);
    } else if (name == "--survey") {
      options.seconds = std::strtod(value, nullptr);
      options.survey = true;
    } else if ((name == "--seeds" || name == "--hashes") && i + 1 < argc) {
      options.hashes = name == "--hashes";
      options.plan.seed = std::strtoull(value, nullptr, 10);
      options.count = std::strtoull(argv[++i], nullptr, 10);
      options.seconds = 86'400;
    } else if (name == "--seed") {
      options.plan.seed = std::strtoull(value, nullptr, 10);
      options.one = true;
    } else if (name == "--clients") {
      if (!parse_numbers(value, options.plan.clients)) refuse(value);
    } else if (name == "--requests") {
      options.plan.requests = std::strtoull(value, nullptr, 10);
    } else if (name == "--faults") {
      options.plan.faults = value;
    } else if (name == "--verbose") {
      options.plan.verbose = std::atoi(value);
    } else if (name == "--processes") {
      options.processes = static_cast<unsigned>(std::max(1, std::atoi(value)));
    } else {
      refuse(argv[i - 1]);
    }
  }
  return options;
}

void tell(const Failure& failure) {
  std::printf("simulate: seed %llu: %s\n", static_cast<unsigned long long>(failure.plan.seed),
              failure.what.c_str());
}

int try_one(const Options& options) {
  Failure failure;
  if (attempt(options.plan, failure)) {
    std::printf("simulate: seed %llu: no invariant is violated\n",
                static_cast<unsigned long long>(options.plan.seed));
    return 0;
  }
  std::fputs(failure.output.c_str(), stderr);
  tell(failure);
  return 1;
}

int try_many(const Options& options) {
  Totals totals;
  Failure failure;
  const auto begin = std::chrono::steady_clock::now();
  const bool well = attempt_seeds(options.plan, options.count, options.seconds, options.processes,
                                  totals, failure);
  const double taken =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const auto per_second = [taken](uint64_t count) { return static_cast<double>(count) / taken; };
  std::printf(
      "simulate: %llu seeds from %llu in %.1f s (%.0f/s): %.0f virtual s, %llu connections "
      "(%.0f/s), "
      "%llu requests, %llu answers, %llu queries\n",
      static_cast<unsigned long long>(totals.seeds),
      static_cast<unsigned long long>(options.plan.seed), taken, per_second(totals.seeds),
      totals.virtual_seconds, static_cast<unsigned long long>(totals.counts.connections),
      per_second(totals.counts.connections),
      static_cast<unsigned long long>(totals.counts.requests),
      static_cast<unsigned long long>(totals.counts.answers),
      static_cast<unsigned long long>(totals.counts.queries));
  if (well) return 0;
  tell(failure);
  std::printf("simulate: %s\n", replay_line(failure.plan).c_str());
  std::fflush(stdout);
  const Failure least = shrink(failure, 30);
  if (options.plan.verbose != 0) std::fputs(least.output.c_str(), stderr);
  std::printf("simulate: the least that is found to fail so: %s\n", least.what.c_str());
  std::printf("    %s\n", replay_line(least.plan).c_str());
  return 1;
}

int list_findings(const Options& options) {
  uint64_t seeds = 0;
  const auto findings = survey(options.plan, options.seconds, seeds);
  std::printf("simulate: %llu seeds from %llu, %zu kinds of failure\n",
              static_cast<unsigned long long>(seeds),
              static_cast<unsigned long long>(options.plan.seed), findings.size());
  for (const auto& [kind, finding] : findings)
    std::printf("%6llu seeds, first %llu after %.2f s: %s\n",
                static_cast<unsigned long long>(finding.seeds),
                static_cast<unsigned long long>(finding.first.plan.seed), finding.found_after_s,
                finding.first.what.substr(0, 240).c_str());
  return findings.empty() ? 0 : 1;
}

int print_hashes(const Options& options) {
  Plan plan = options.plan;
  for (uint64_t i = 0; i < options.count; ++i, ++plan.seed)
    std::printf("%llu %016llx\n", static_cast<unsigned long long>(plan.seed),
                static_cast<unsigned long long>(simulate(plan).trace_hash));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  if (options.hashes) return print_hashes(options);
  if (options.survey) return list_findings(options);
  return options.one ? try_one(options) : try_many(options);
}
