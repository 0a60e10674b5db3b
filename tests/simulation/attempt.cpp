#include "tests/simulation/attempt.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ringpost::simulation {

namespace {

using Clock = std::chrono::steady_clock;

Clock::time_point in(double seconds) {
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// How long, in real time, the program may go on without coming back to its kernel, and one
// simulation may take in all.
constexpr unsigned longest_turn_s = 5, longest_simulation_s = 100;

// What a child tells of itself while it runs, in memory that it shares with its parent.
struct Report {
  uint64_t seed = 0;
  Totals totals;
};

// Of the child: the simulations that it has begun, and what the watchdog has seen last. (Worlds may
// have one address after the other.)
uint64_t begun = 0, watched = 0, seen = 0;
unsigned stuck_for_s = 0, running_for_s = 0;

// Each second. Nothing else can end a turn that does not end by itself.
void watch(int) {
  const World* world = World::current;
  const uint64_t progress = world == nullptr ? 0 : world->counts.turns + world->counts.events;
  if (begun != watched) running_for_s = 0;
  stuck_for_s = world != nullptr && begun == watched && progress == seen ? stuck_for_s + 1 : 0;
  ++running_for_s;
  watched = begun;
  seen = progress;
  static constexpr char endless[] = "VIOLATED: a turn of the program does not end\n";
  static constexpr char slow[] = "VIOLATED: the simulation does not end\n";
  if (stuck_for_s >= longest_turn_s) {
    [[maybe_unused]] const ssize_t written = ::write(2, endless, sizeof endless - 1);
    ::_exit(3);
  }
  if (world != nullptr && running_for_s >= longest_simulation_s) {
    [[maybe_unused]] const ssize_t written = ::write(2, slow, sizeof slow - 1);
    ::_exit(3);
  }
}

void start_watchdog() {
  std::signal(SIGALRM, watch);
  const itimerval each_second{{1, 0}, {1, 0}};
  setitimer(ITIMER_REAL, &each_second, nullptr);
}

struct Child {
  pid_t process = -1;
  int output = -1;  // a file in memory that has its standard error
  Report* report = nullptr;

  template <class Work>
  void start(Work work) {
    report = static_cast<Report*>(
        mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    *report = {};
    output = memfd_create("output", MFD_CLOEXEC);
    std::fflush(nullptr);
    process = fork();
    if (process != 0) return;
    dup2(output, 2);
    start_watchdog();
    work(*report);
    std::exit(0);  // so that a sanitizer looks for what has leaked
  }
  // What it has said.
  std::string said() const {
    std::string text;
    char piece[4096];
    lseek(output, 0, SEEK_SET);
    for (ssize_t count; (count = ::read(output, piece, sizeof piece)) > 0;)
      text.append(piece, static_cast<size_t>(count));
    return text;
  }
  void release() {
    munmap(report, sizeof(Report));
    ::close(output);
  }
};

// The one line that says what was wrong.
std::string sum_up(const std::string& output, int status) {
  for (const char* mark : {"VIOLATED", "Assertion", "SUMMARY: ", "runtime error", "ERROR: "}) {
    const size_t at = output.find(mark);
    if (at == std::string::npos) continue;
    const size_t begin = std::strcmp(mark, "Assertion") == 0 ? output.rfind('\n', at) + 1 : at;
    return output.substr(begin, output.find('\n', at) - begin);
  }
  if (WIFSIGNALED(status)) return std::string("ended by signal ") + strsignal(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

void run_one(const Plan& plan, Report& report) {
  report.seed = plan.seed;
  ++begun;
  const Outcome outcome = simulate(plan);
  Totals& totals = report.totals;
  ++totals.seeds;
  totals.counts.connections += outcome.counts.connections;
  totals.counts.requests += outcome.counts.requests;
  totals.counts.answers += outcome.counts.answers;
  totals.counts.queries += outcome.counts.queries;
  totals.counts.turns += outcome.counts.turns;
  totals.virtual_seconds += outcome.virtual_seconds;
}

void add(Totals& to, const Totals& more) {
  to.seeds += more.seeds;
  to.counts.connections += more.counts.connections;
  to.counts.requests += more.counts.requests;
  to.counts.answers += more.counts.answers;
  to.counts.queries += more.counts.queries;
  to.counts.turns += more.counts.turns;
  to.virtual_seconds += more.virtual_seconds;
}

}  // namespace

bool attempt(const Plan& plan, Failure& failure) {
  Child child;
  child.start([&plan](Report& report) { run_one(plan, report); });
  int status = 0;
  while (waitpid(child.process, &status, 0) == -1 && errno == EINTR) {
  }
  if (status != 0) {
    failure.plan = plan;
    failure.output = child.said();
    failure.what = sum_up(failure.output, status);
  }
  child.release();
  return status == 0;
}

bool attempt_seeds(const Plan& plan, uint64_t count, double seconds, unsigned processes,
                   Totals& totals, Failure& failure) {
  const Clock::time_point end = in(seconds);
  std::vector<Child> children(processes);
  for (unsigned i = 0; i < processes; ++i) {
    children[i].start([&, i](Report& report) {
      Plan own = plan;
      for (uint64_t n = i; n < count && Clock::now() < end; n += processes) {
        own.seed = plan.seed + n;
        run_one(own, report);
      }
    });
  }
  bool well = true;
  for (unsigned left = processes; left != 0; --left) {
    int status = 0;
    pid_t ended = -1;
    while ((ended = waitpid(-1, &status, 0)) == -1 && errno == EINTR) {
    }
    for (Child& child : children) {
      if (child.process != ended) continue;
      child.process = -1;
      if (status == 0 || !well) continue;
      well = false;
      failure.plan = plan;
      failure.plan.seed = child.report->seed;
      failure.output = child.said();
      failure.what = sum_up(failure.output, status);
      for (const Child& other : children)
        if (other.process > 0) kill(other.process, SIGKILL);
    }
  }
  for (Child& child : children) {
    add(totals, child.report->totals);
    child.release();
  }
  return well;
}

// Without its numbers, so that the same fault is known again.
std::string kind_of(std::string what) {
  std::erase_if(what, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  return what.substr(0, what.find_first_of("(;"));
}

std::map<std::string, Finding> survey(const Plan& plan, double seconds, uint64_t& seeds) {
  std::map<std::string, Finding> findings;
  const Clock::time_point begin = Clock::now(), end = in(seconds);
  Plan own = plan;
  for (seeds = 0; Clock::now() < end; ++seeds, ++own.seed) {
    Failure failure;
    if (attempt(own, failure)) continue;
    Finding& finding = findings[kind_of(failure.what)];
    if (finding.seeds++ != 0) continue;
    finding.first = std::move(failure);
    finding.found_after_s = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  return findings;
}

}  // namespace ringpost::simulation
