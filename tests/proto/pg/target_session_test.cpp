#include "proto/pg/target_session.h"

#include <gtest/gtest.h>

#include "tests/support/pg_messages.h"

using namespace std::string_literals;

namespace ringpost::proto::pg {
namespace {

using Wanted = Conninfo::TargetSession;
constexpr auto unset = std::nullopt;

// By in_hot_standby and default_transaction_read_only, as libpq decides.
TEST(TargetSession, WhatFits) {
  struct Case {
    std::optional<bool> hot_standby, read_only;
    Fit read_write, wants_read_only, primary, standby, prefer_standby;
  };
  constexpr Fit no = Fit::no, yes = Fit::yes, unknown = Fit::unknown;
  constexpr Case cases[] = {
      {unset, unset, unknown, unknown, unknown, unknown, unknown},
      {unset, false, unknown, unknown, unknown, unknown, unknown},
      {unset, true, no, yes, unknown, unknown, unknown},
      {false, unset, unknown, unknown, yes, no, yes},
      {false, false, yes, no, yes, no, yes},
      {false, true, no, yes, yes, no, yes},
      {true, unset, no, yes, no, yes, yes},
      {true, false, no, yes, no, yes, yes},
      {true, true, no, yes, no, yes, yes},
  };
  for (const Case& one : cases) {
    const ServerState state{one.hot_standby, one.read_only};
    const std::string name = std::to_string(&one - cases);
    EXPECT_EQ(fit(Wanted::any, state), yes) << name;
    EXPECT_EQ(fit(Wanted::read_write, state), one.read_write) << name;
    EXPECT_EQ(fit(Wanted::read_only, state), one.wants_read_only) << name;
    EXPECT_EQ(fit(Wanted::primary, state), one.primary) << name;
    EXPECT_EQ(fit(Wanted::standby, state), one.standby) << name;
    EXPECT_EQ(fit(Wanted::prefer_standby, state), one.prefer_standby) << name;
  }
}

TEST(TargetSession, ParameterStatusIsNoted) {
  ServerState state;
  EXPECT_FALSE(state.take({"TimeZone", "UTC"}));
  EXPECT_TRUE(state.take({"in_hot_standby", "on"}));
  EXPECT_EQ(state.in_hot_standby, true);
  EXPECT_FALSE(state.take({"in_hot_standby", "on"})) << "it is known already";
  EXPECT_TRUE(state.take({"in_hot_standby", "off"}));
  EXPECT_EQ(state.in_hot_standby, false);
  EXPECT_EQ(state.default_transaction_read_only, unset);
  EXPECT_TRUE(state.take({"default_transaction_read_only", "off"}));
  EXPECT_TRUE(state.take({"default_transaction_read_only", "on"}));
  EXPECT_EQ(state.default_transaction_read_only, true);
}

TEST(TargetSession, SaysWhatItIsInstead) {
  const ServerState primary{false, false}, read_only{false, true}, standby{true, false};
  EXPECT_EQ(describe_misfit(Wanted::read_write, standby),
            "is a standby (target_session_attrs=read-write)");
  EXPECT_EQ(describe_misfit(Wanted::read_write, read_only),
            "is read-only (target_session_attrs=read-write)");
  EXPECT_EQ(describe_misfit(Wanted::read_only, primary),
            "is not read-only (target_session_attrs=read-only)");
  EXPECT_EQ(describe_misfit(Wanted::primary, standby),
            "is a standby (target_session_attrs=primary)");
  EXPECT_EQ(describe_misfit(Wanted::standby, primary),
            "is a primary (target_session_attrs=standby)");
  EXPECT_EQ(name_of(Wanted::any), "any");
  EXPECT_EQ(name_of(Wanted::prefer_standby), "prefer-standby");
}

const std::string described =
                      "T\0\0\0\x1a\0\1x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"s,
                  done = "C\0\0\0\x0dSELECT 1\0"s, ready = "Z\0\0\0\5I"s;
std::string row(std::string_view text) {
  return tests::message('D', tests::int16(1) + tests::value(text));
}

// All that came of these bytes.
struct Asked {
  StateQuery::State last = StateQuery::State::asking;
  ServerState state;
  std::string failure{};
};
Asked ask(Wanted wanted, std::string_view bytes, ServerState known = {}) {
  StateQuery query(wanted);
  Asked asked;
  asked.state = known;
  Message message;
  while (asked.last == StateQuery::State::asking &&
         next_message(bytes, message) == wire::Parse::complete) {
    asked.last = query.take(message, asked.state);
    bytes.remove_prefix(message.size);
  }
  asked.failure = query.failure();
  return asked;
}

TEST(StateQuery, AsksForWhatIsToBeKnown) {
  wire::Buffer out;
  StateQuery(Wanted::read_write).begin(out);
  StateQuery(Wanted::read_only).begin(out);
  EXPECT_EQ(out.view(),
            "Q\0\0\0\x1fSHOW transaction_read_only\0Q\0\0\0\x1fSHOW transaction_read_only\0"s);
  out.clear();
  for (const Wanted wanted : {Wanted::primary, Wanted::standby, Wanted::prefer_standby}) {
    StateQuery(wanted).begin(out);
    EXPECT_EQ(out.view(), "Q\0\0\0\x2aSELECT pg_catalog.pg_is_in_recovery()\0"s);
    out.clear();
  }
}

TEST(StateQuery, TakesTheAnswer) {
  struct Case {
    Wanted wanted;
    const char* answer;
    ServerState known, expected;
  };
  const Case cases[] = {
      {Wanted::primary, "t", {}, {true, unset}},
      {Wanted::primary, "f", {}, {false, unset}},
      {Wanted::prefer_standby, "t", {}, {true, unset}},
      {Wanted::read_write, "on", {}, {false, true}},
      {Wanted::read_write, "off", {}, {false, false}},
      {Wanted::read_only, "on", {unset, false}, {false, true}},
  };
  for (const Case& one : cases) {
    const std::string bytes = described + row(one.answer) + done + ready;
    const Asked asked = ask(one.wanted, bytes, one.known);
    EXPECT_EQ(asked.last, StateQuery::State::done) << asked.failure;
    EXPECT_EQ(asked.state, one.expected) << one.answer;
    EXPECT_EQ(fit(one.wanted, asked.state) == Fit::unknown, false);
    // Of less there is no end.
    for (size_t size = 0; size < bytes.size(); ++size)
      EXPECT_EQ(ask(one.wanted, std::string_view(bytes).substr(0, size), one.known).last,
                StateQuery::State::asking)
          << size;
  }
}

TEST(StateQuery, WhatMayStandBetween) {
  const std::string notice = "N\0\0\0\x1bSNOTICE\0VNOTICE\0Mlook\0\0"s,
                    status = tests::message('S', "in_hot_standby\0on\0"s);
  const Asked asked =
      ask(Wanted::primary, notice + described + status + row("f") + done + notice + ready);
  EXPECT_EQ(asked.last, StateQuery::State::done) << asked.failure;
  EXPECT_EQ(asked.state.in_hot_standby, false) << "the later word";
}

TEST(StateQuery, WhatIsNoAnswer) {
  const std::pair<std::string, std::string> cases[] = {
      {tests::message('E', "SERROR\0VERROR\0C42501\0Mpermission denied\0\0"s),
       "ERROR 42501: permission denied"},
      {described + done + ready, "ReadyForQuery has no place in the answer to what it is"},
      {described + row("t") + done + "Z\0\0\0\5T"s,
       "ReadyForQuery has no place in the answer to what it is"},
      {described + row("t") + row("t"), "DataRow has no place in the answer to what it is"},
      {described + "D\0\0\0\x06\0\0"s, "the answer to what it is can't be read"},
      {described + "D\0\0\0\x0a\0\1\xff\xff\xff\xff"s, "the answer to what it is can't be read"},
      {described + "D\0\0\0\x0b\0\1\0\0\0\2t"s, "the answer to what it is can't be read"},
      {described + "D\0\0\0\x0c\0\1\0\0\0\1tt"s, "the answer to what it is can't be read"},
      {"G\0\0\0\7\0\0\0"s, "CopyInResponse has no place in the answer to what it is"},
  };
  for (const auto& [bytes, failure] : cases) {
    const Asked asked = ask(Wanted::primary, bytes);
    EXPECT_EQ(asked.last, StateQuery::State::failed) << failure;
    EXPECT_EQ(asked.failure, failure);
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
