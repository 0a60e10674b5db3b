#include "src/pg/hosts.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace ringpost::pg {
namespace {

using namespace std::chrono_literals;
using proto::pg::Conninfo;
using proto::pg::ServerState;
using Wanted = Hosts::Wanted;

constexpr ServerState primary{false, false}, standby{true, false};
constexpr Hosts::Pauses pauses{
    .first = 1'000ms, .last = 8'000ms, .other_role = 60s, .settled = 10s};
const io::Time start = io::Time() + 1h;

Conninfo conninfo(size_t count, Wanted wanted,
                  Conninfo::LoadBalance order = Conninfo::LoadBalance::disable) {
  Conninfo conninfo;
  conninfo.hosts.resize(count);
  conninfo.target_session_attrs = wanted;
  conninfo.load_balance_hosts = order;
  return conninfo;
}

// "0 1", with an s behind what has to be a standby.
std::string plan(Hosts& hosts) {
  std::string text;
  for (const Hosts::Attempt& one : hosts.plan()) {
    text.append(text.empty() ? "" : " ").append(std::to_string(one.host));
    if (one.wanted != hosts.wanted()) text += one.wanted == Wanted::standby ? "s" : "?";
  }
  return text;
}

// What has been seen of three hosts: p a primary, s a standby, x one that is suspect, d down, .
// nothing.
Hosts seen(Wanted wanted, std::string_view what) {
  Hosts hosts(conninfo(what.size(), wanted), pauses, 1);
  for (size_t i = 0; i < what.size(); ++i) {
    if (what[i] == 'p') hosts.opened(i, primary, start);
    if (what[i] == 's') hosts.opened(i, standby, start);
    if (what[i] == 'd') hosts.failed(i, start);
    if (what[i] == 'x') {
      hosts.opened(i, standby, start);
      hosts.suspect(i, start);
    }
  }
  return hosts;
}

TEST(Hosts, ThePlanIsTheOrderOfTheSettingsWhatIsDownLast) {
  struct Case {
    Wanted wanted;
    const char *what, *plan;
  };
  constexpr Case cases[] = {
      {Wanted::any, "...", "0 1 2"},
      {Wanted::any, "sp.", "0 1 2"},
      {Wanted::any, "d..", "1 2 0"},
      {Wanted::any, "dpd", "1 0 2"},
      {Wanted::any, "ddd", "0 1 2"},
      // What was not what is asked for stands behind what may be.
      {Wanted::primary, "s..", "1 2 0"},
      {Wanted::primary, "sp.", "1 2 0"},
      {Wanted::primary, "dsp", "2 1 0"},
      {Wanted::primary, "sss", "0 1 2"},
      {Wanted::standby, "ps.", "1 2 0"},
      {Wanted::read_write, "s.p", "1 2 0"},
      {Wanted::read_only, "p.s", "1 2 0"},
      // For a standby first, then for any; what is down is not waited for twice.
      {Wanted::prefer_standby, "...", "0s 1s 2s 0 1 2"},
      {Wanted::prefer_standby, "p..", "1s 2s 0 1 2"},
      {Wanted::prefer_standby, "psd", "1s 0 1 2"},
      {Wanted::prefer_standby, "ppd", "0 1 2"},
      {Wanted::prefer_standby, "ddd", "0 1 2"},
      {Wanted::any, "xpp", "1 2 0"},
      {Wanted::any, "xdp", "2 0 1"},
      {Wanted::prefer_standby, "xp.", "2s 1 2 0"},
  };
  for (const Case& one : cases) {
    Hosts hosts = seen(one.wanted, one.what);
    EXPECT_EQ(plan(hosts), one.plan) << proto::pg::name_of(one.wanted) << ' ' << one.what;
  }
}

TEST(Hosts, AtRandomTheyStandInEachOrderAndWhatIsDownIsLast) {
  Hosts hosts(conninfo(3, Wanted::any, Conninfo::LoadBalance::random), pauses, 7);
  std::set<std::string> orders;
  for (int i = 0; i < 200; ++i) orders.insert(plan(hosts));
  EXPECT_EQ(orders.size(), 6u);
  hosts.failed(1, start);
  orders.clear();
  for (int i = 0; i < 200; ++i) orders.insert(plan(hosts));
  EXPECT_EQ(orders, (std::set<std::string>{"0 2 1", "2 0 1"}));
}

TEST(Hosts, Ranks) {
  const Hosts any(conninfo(2, Wanted::any), pauses, 1),
      random(conninfo(2, Wanted::any, Conninfo::LoadBalance::random), pauses, 1),
      wants_primary(conninfo(2, Wanted::primary), pauses, 1),
      prefers(conninfo(2, Wanted::prefer_standby), pauses, 1),
      prefers_random(conninfo(2, Wanted::prefer_standby, Conninfo::LoadBalance::random), pauses, 1);
  EXPECT_EQ(any.rank(0, {}), 0u);
  EXPECT_EQ(any.rank(1, standby), 1u);
  EXPECT_EQ(random.rank(1, standby), 0u);
  EXPECT_EQ(wants_primary.rank(1, primary), 1u);
  EXPECT_EQ(wants_primary.rank(0, standby), Hosts::unfit);
  EXPECT_EQ(prefers.rank(1, standby), 1u);
  EXPECT_EQ(prefers.rank(0, primary), 2u);
  EXPECT_EQ(prefers_random.rank(1, standby), 0u);
  EXPECT_EQ(prefers_random.rank(0, primary), 2u);
}

// Half of each pause is certain.
TEST(Hosts, TheLookAtOneThatIsDownComesEverLater) {
  Hosts hosts = seen(Wanted::any, "dp");
  io::Time now = start;
  for (const auto pause : {1'000ms, 2'000ms, 4'000ms, 8'000ms, 8'000ms}) {
    const auto look = hosts.next_look(1);
    ASSERT_TRUE(look);
    EXPECT_EQ(look->host, 0u);
    EXPECT_GE(look->at, now + pause / 2);
    EXPECT_LE(look->at, now + pause);
    hosts.failed(0, look->at - 1ms);  // by who tries all hosts: nothing new
    EXPECT_EQ(hosts.next_look(1), look);
    now = look->at;
    hosts.failed(0, now);
  }
  hosts.opened(0, primary, now);
  hosts.failed(0, now);
  EXPECT_LE(hosts.next_look(1)->at, now + pauses.first) << "from the beginning";
}

TEST(Hosts, PausesDiffer) {
  std::set<io::Time> moments;
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    Hosts hosts(conninfo(2, Wanted::any), pauses, seed);
    hosts.failed(0, start);
    moments.insert(hosts.next_look(1)->at);
  }
  EXPECT_GT(moments.size(), 10u);
}

TEST(Hosts, SessionsComeBackToTheFirstWhenItHasBeenUpForAWhile) {
  Hosts hosts = seen(Wanted::any, "dp");
  EXPECT_FALSE(hosts.offers_better(1, start));
  const io::Time back = start + 5s;
  hosts.opened(0, primary, back);
  EXPECT_FALSE(hosts.offers_better(1, back));
  EXPECT_EQ(hosts.next_look(1), (Hosts::Look{0, back + pauses.settled})) << "is it still up?";
  EXPECT_FALSE(hosts.offers_better(1, back + pauses.settled - 1ms));
  hosts.opened(0, primary, back + pauses.settled);
  EXPECT_TRUE(hosts.offers_better(1, back + pauses.settled));
  EXPECT_FALSE(hosts.offers_better(0, back + pauses.settled)) << "its own";
  EXPECT_EQ(hosts.next_look(1)->at, back + pauses.settled + pauses.other_role);
  EXPECT_EQ(hosts.next_look(0), std::nullopt) << "all sessions are there";
  hosts.failed(0, back + 11s);
  EXPECT_FALSE(hosts.offers_better(1, back + 12s));
  hosts.opened(0, primary, back + 13s);
  EXPECT_FALSE(hosts.offers_better(1, back + 14s)) << "its time begins anew";
}

TEST(Hosts, WhichAreLookedAt) {
  struct Case {
    Wanted wanted;
    const char* what;
    Hosts::Rank worst;
    std::string looked_at;  // host, and when behind the start in seconds
  };
  const Case cases[] = {
      {Wanted::any, "p", 0, ""},
      {Wanted::any, "d", 0, ""},  // all that is tried anyhow
      {Wanted::any, "p.", 0, ""},
      {Wanted::any, ".p", 1, "0 -3600"},
      {Wanted::any, "pp", 0, ""},
      // There is but one primary, and a session is there.
      {Wanted::primary, "sp", 1, ""},
      {Wanted::read_write, "sp", 1, ""},
      {Wanted::primary, "ps", Hosts::unfit, "0 10"},
      // A primary may become a standby.
      {Wanted::standby, "ps", 1, "0 60"},
      {Wanted::prefer_standby, "ps", 1, "0 60"},
      {Wanted::prefer_standby, "ps", 0, ""},
      {Wanted::prefer_standby, "sp", 3, "0 10"},
      {Wanted::prefer_standby, "pp", 2, "0 60"},
  };
  for (const Case& one : cases) {
    const Hosts hosts = seen(one.wanted, one.what);
    const auto look = hosts.next_look(one.worst);
    std::string text;
    if (look) text = std::to_string(look->host) + " " + std::to_string((look->at - start) / 1s);
    EXPECT_EQ(text, one.looked_at) << proto::pg::name_of(one.wanted) << ' ' << one.what;
  }
}

TEST(Hosts, WhereASessionIsNoLookIsNeeded) {
  const Hosts hosts = seen(Wanted::prefer_standby, "pd");
  EXPECT_EQ(hosts.next_look(2)->host, 1u);
  Hosts alone = seen(Wanted::prefer_standby, "pp");
  EXPECT_EQ(alone.next_look(2, {true, false})->host, 1u);
  EXPECT_EQ(alone.next_look(2, {true, true}), std::nullopt);
  EXPECT_EQ(alone.next_look(Hosts::unfit, {true, true})->host, 0u) << "whether it is so again";
  alone.suspect(0, start + 1s);
  EXPECT_EQ(alone.next_look(2, {true, true}), (Hosts::Look{0, start + 1s}));
}

// The standby was promoted: the old primary is looked at, whatever it was.
TEST(Hosts, AChangeOfOneMayBeOneOfAll) {
  Hosts hosts = seen(Wanted::standby, "ps");
  const io::Time now = start + 30s;
  hosts.changed(1, primary, now);
  EXPECT_EQ(plan(hosts), "0 1");
  EXPECT_EQ(hosts.next_look(Hosts::unfit), (Hosts::Look{0, now}));
  EXPECT_FALSE(hosts.offers_better(Hosts::unfit, now)) << "it is not known yet";
  hosts.opened(0, standby, now);
  EXPECT_TRUE(hosts.offers_better(Hosts::unfit, now)) << "at once";
  hosts.changed(1, primary, now + 1s);  // another session there says so too
  EXPECT_TRUE(hosts.offers_better(Hosts::unfit, now + 1s));
}

// It may be slow or gone: that is found out, and meanwhile another one is tried first.
TEST(Hosts, OneThatIsSilentIsSuspectUntilItWasLookedAt) {
  Hosts hosts = seen(Wanted::any, "pp");
  const io::Time now = start + 1min;
  hosts.suspect(0, now);
  EXPECT_EQ(plan(hosts), "1 0");
  EXPECT_EQ(hosts.next_look(1), (Hosts::Look{0, now}));
  EXPECT_EQ(hosts.next_look(0), (Hosts::Look{0, now})) << "for the sake of its own sessions too";
  EXPECT_FALSE(hosts.offers_better(1, now + 1min));
  EXPECT_FALSE(hosts.is_gone(0, now - 1s));
  // It answers: sessions come back to it, but not at once.
  hosts.opened(0, primary, now + 10ms);
  EXPECT_EQ(plan(hosts), "0 1");
  EXPECT_FALSE(hosts.offers_better(1, now + 9s));
  EXPECT_TRUE(hosts.offers_better(1, now + pauses.settled));
  // It does not: what was not heard of since is gone with it.
  hosts.suspect(0, now + 1min);
  hosts.failed(0, now + 62s);
  EXPECT_EQ(plan(hosts), "1 0");
  EXPECT_TRUE(hosts.is_gone(0, now + 61s));
  EXPECT_FALSE(hosts.is_gone(0, now + 63s));
  EXPECT_FALSE(hosts.is_gone(1, now));
  hosts.suspect(0, now + 63s);
  EXPECT_EQ(plan(hosts), "1 0") << "it is down already";
}

TEST(Hosts, ASingleHostIsLookedAtForASessionThatDoesNotFitAlone) {
  Hosts hosts = seen(Wanted::primary, "p");
  EXPECT_EQ(hosts.next_look(0), std::nullopt);
  hosts.changed(0, standby, start);
  EXPECT_EQ(hosts.next_look(Hosts::unfit), (Hosts::Look{0, start + pauses.other_role}));
  hosts.opened(0, primary, start + 1min);
  EXPECT_TRUE(hosts.offers_better(Hosts::unfit, start + 1min));
}

}  // namespace
}  // namespace ringpost::pg
