#include "src/pg/renewal.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace ringpost::pg {
namespace {

using namespace std::chrono_literals;
using Why = Renewal::Why;
using Candidate = Renewal::Candidate;

const io::Time now = io::Time() + 1h;
constexpr std::chrono::milliseconds idle_age = 5min, for_ever{0};

// The first of two has been up for long, the second too.
Hosts two_hosts() {
  proto::pg::Conninfo conninfo;
  conninfo.hosts.resize(2);
  Hosts hosts(conninfo, {}, 1);
  hosts.opened(0, {}, now - 30min);
  hosts.opened(1, {}, now - 30min);
  return hosts;
}

Candidate well() {
  return {.open = true, .kept = true, .rank = 0, .ends = now + 1min, .heard = now};
}
Candidate closed() {
  return {.open = false, .rank = Hosts::unfit, .ends = now - 1h, .heard = now - 1h};
}
Candidate idle() {
  return {.open = true, .ends = now + 1min, .heard = now - idle_age};
}
Candidate busy() {
  Candidate one = idle();
  one.busy = true;
  return one;
}
Candidate aged() {
  Candidate one = well();
  one.ends = now;
  return one;
}
Candidate elsewhere() {
  Candidate one = well();
  one.host = one.rank = 1;
  return one;
}
Candidate gone() {
  Candidate one = busy();
  one.gone = now;
  return one;
}
Candidate unfit() {
  Candidate one = well();
  one.rank = Hosts::unfit;
  return one;
}

TEST(Renewal, WhichIsDueAndWhy) {
  struct Case {
    std::string name;
    std::vector<Candidate> candidates;
    std::optional<Renewal> due;
  };
  const Case cases[] = {
      {"none", {}, std::nullopt},
      {"all are well", {well(), well()}, std::nullopt},
      {"none is open", {closed()}, std::nullopt},
      {"aged", {well(), aged()}, Renewal{1, Why::aged}},
      {"idle", {well(), idle(), idle()}, Renewal{1, Why::idle}},
      {"busy", {busy()}, std::nullopt},
      {"elsewhere", {elsewhere()}, Renewal{0, Why::moves}},
      {"in order", {idle(), aged(), elsewhere(), unfit(), unfit()}, Renewal{3, Why::unfit}},
      {"gone before all", {unfit(), gone()}, Renewal{1, Why::gone}},
      {"elsewhere first", {aged(), elsewhere()}, Renewal{1, Why::moves}},
      {"aged and idle: it is not opened anew for nothing", {aged(), idle()}, Renewal{0, Why::aged}},
  };
  const Hosts hosts = two_hosts();
  for (const Case& one : cases)
    EXPECT_EQ(Renewal::due(one.candidates, hosts, idle_age, now), one.due) << one.name;
  EXPECT_EQ(Renewal::due(std::vector{idle()}, hosts, for_ever, now), std::nullopt);
}

TEST(Renewal, WhereThereIsNothingBetterNothingMoves) {
  Hosts hosts = two_hosts();
  hosts.failed(0, now);
  EXPECT_EQ(Renewal::due(std::vector{elsewhere()}, hosts, idle_age, now), std::nullopt);
  hosts.opened(0, {}, now);
  EXPECT_EQ(Renewal::due(std::vector{elsewhere()}, hosts, idle_age, now), std::nullopt)
      << "not for a while";
  EXPECT_EQ(Renewal::due(std::vector{unfit()}, hosts, idle_age, now), (Renewal{0, Why::unfit}));
}

TEST(Renewal, WhoseHostIsGoneStaysWhereThereIsNoOther) {
  Hosts hosts = two_hosts();
  hosts.failed(0, now);
  EXPECT_EQ(Renewal::due(std::vector{gone()}, hosts, for_ever, now), (Renewal{0, Why::gone}));
  hosts.failed(1, now);
  EXPECT_EQ(Renewal::due(std::vector{gone()}, hosts, for_ever, now), std::nullopt);
}

TEST(Renewal, WhenNothingWillBeDueBefore) {
  struct Case {
    std::string name;
    std::vector<Candidate> candidates;
    io::Time next;
  };
  Candidate heard_lately = idle();
  heard_lately.heard = now - 4min - 30s;
  Candidate soon_gone = gone();
  soon_gone.gone = now + 200ms;
  Candidate for_long = well();
  for_long.ends = io::never;
  Hosts hosts = two_hosts();
  const Case cases[] = {
      {"none", {}, io::never},
      {"never", {for_long}, io::never},
      {"none is open", {closed()}, io::never},
      {"by age", {well()}, now + 1min},
      {"the first", {well(), heard_lately}, now + 30s},
      {"busy", {busy()}, now + 1min},
      {"gone, when it has been silent for longer", {soon_gone}, now + 200ms},
      {"gone, and there is no other host", {gone()}, now + 1min},
  };
  for (const Case& one : cases)
    EXPECT_EQ(Renewal::next(one.candidates, hosts, idle_age, now), one.next) << one.name;
  EXPECT_EQ(Renewal::next(std::vector{heard_lately}, hosts, for_ever, now), now + 1min);
  hosts.failed(0, now);
  hosts.opened(0, {}, now);
  EXPECT_EQ(Renewal::next(std::vector{elsewhere()}, hosts, for_ever, now), now + 10s);
}

TEST(Renewal, TheWorstSessionSaysWhatIsLookedAt) {
  Hosts hosts = two_hosts();
  hosts.failed(0, now);
  EXPECT_EQ(Renewal::next_look(std::vector{closed()}, hosts), std::nullopt)
      << "all are tried anyhow";
  EXPECT_TRUE(Renewal::next_look(std::vector{well(), elsewhere()}, hosts));
  hosts.opened(0, {}, now);
  EXPECT_EQ(Renewal::next_look(std::vector{well()}, hosts), std::nullopt);
  EXPECT_EQ(Renewal::next_look(std::vector{elsewhere()}, hosts)->host, 0u);
  EXPECT_EQ(Renewal::next_look(std::vector{well(), elsewhere()}, hosts), std::nullopt)
      << "one is there already";
}

}  // namespace
}  // namespace ringpost::pg
