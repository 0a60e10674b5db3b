#include "tests/simulation/world.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include <unistd.h>

namespace ringpost::simulation {

World* World::current = nullptr;

namespace {

double in_seconds(Time time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

void World::at(Time moment, std::function<void()> event) {
  events_.push({std::max(moment, now_), planned_++, std::move(event)});
}

bool World::step() {
  if (events_.empty()) return false;
  // The queue's top is constant for its order's sake; the event itself plays no part in that.
  auto& top = const_cast<Event&>(events_.top());
  const std::function<void()> run = std::move(top.run);
  now_ = top.moment;
  events_.pop();
  ++counts.events;
  run();
  return true;
}

void World::run_until(Time moment) {
  while (!events_.empty() && events_.top().moment <= moment) step();
  now_ = std::max(now_, moment);
}

void World::stop_for(Time pause) {
  note("stopped", 0, pause.count() / 1'000'000);
  stopped_since_ = now_;
  run_until(now_ + pause);
  stopped_since_.reset();
  stopped_ += pause;
}

void World::note(const char* what, int64_t who, int64_t how_much) {
  trace_[noted_++ % trace_.size()] = {now_, what, who, how_much};
  const auto mix = [this](uint64_t value) { hash_ = (hash_ ^ value) * 1099511628211ULL; };
  mix(static_cast<uint64_t>(now_.count()));
  for (const char* c = what; *c != '\0'; ++c) mix(static_cast<unsigned char>(*c));
  mix(static_cast<uint64_t>(who));
  mix(static_cast<uint64_t>(how_much));
  if (verbose == 2)
    std::fprintf(stderr, "%12.6f %-28s %6lld %8lld\n", in_seconds(now_), what,
                 static_cast<long long>(who), static_cast<long long>(how_much));
}

void World::print_trace() const {
  const uint64_t kept = std::min<uint64_t>(noted_, 100);
  for (uint64_t i = noted_ - kept; i < noted_; ++i) {
    const Note& note = trace_[i % trace_.size()];
    std::fprintf(stderr, "%12.6f %-28s %6lld %8lld\n", in_seconds(note.when), note.what,
                 static_cast<long long>(note.who), static_cast<long long>(note.how_much));
  }
}

void World::violated(const std::string& what) {
  std::fflush(nullptr);
  if (verbose == 1) print_trace();
  std::fprintf(stderr, "VIOLATED at %.6f s: %s\n", in_seconds(now_), what.c_str());
  std::fflush(nullptr);
  ::_exit(3);
}

}  // namespace ringpost::simulation
