#include "proto/pg/pipeline.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/pg/error.h"
#include "tests/support/pg_messages.h"

using namespace std::string_literals;

namespace ringpost::proto::pg {
namespace {

using tests::Exact, tests::message;
using Event = Pipeline::Event;
using Expect = Pipeline::Expect;

const std::string bind_complete = "2\0\0\0\4"s, close_complete = "3\0\0\0\4"s,
                  parse_complete = "1\0\0\0\4"s, no_data = "n\0\0\0\4"s, empty_query = "I\0\0\0\4"s,
                  parameters = "t\0\0\0\x0a\0\1\0\0\0\x17"s,
                  columns = "T\0\0\0\x1a\0\1n\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\1"s,
                  row = "D\0\0\0\x0b\0\1\0\0\0\1x"s, complete = "C\0\0\0\x0dSELECT 1\0"s,
                  ready = "Z\0\0\0\5I"s, error = "E\0\0\0\x1aSERROR\0VERROR\0C42P01\0\0"s,
                  fatal = "E\0\0\0\x1aSFATAL\0VFATAL\0C57P01\0\0"s,
                  panic = "E\0\0\0\x1aSPANIC\0VPANIC\0C57P01\0\0"s,
                  notice = "N\0\0\0\x1cSNOTICE\0VNOTICE\0C00000\0\0"s,
                  notification = "A\0\0\0\x0f\0\0\0\1topic\0\0"s,
                  status = "S\0\0\0\x11TimeZone\0UTC\0"s;

// A message of `type` that is well-formed where its form is looked at.
std::string example(char type) {
  switch (type) {
    case 'E':
      return error;
    case 'Z':
      return ready;
    default:
      return message(type, "");
  }
}

const char* name(Event event) {
  static constexpr const char* names[] = {"more",         "answer", "too_large", "skipped",
                                          "asynchronous", "fatal",  "violation"};
  return names[static_cast<size_t>(event)];
}

// Where an answer can be: what came of it, and the types that may come next.
struct Place {
  const char* name;
  Expect expect;
  std::string before;
  std::string_view allowed;
};

const Place places[] = {
    {"prepare", Expect::prepare, "", "3E"},
    {"prepare, closed", Expect::prepare, close_complete, "1E"},
    {"prepare, parsed", Expect::prepare, close_complete + parse_complete, "tE"},
    {"prepare, parameters", Expect::prepare, close_complete + parse_complete + parameters, "TnE"},
    {"prepare, columns", Expect::prepare, close_complete + parse_complete + parameters + columns,
     "ZE"},
    {"prepare, no columns", Expect::prepare, close_complete + parse_complete + parameters + no_data,
     "ZE"},
    {"prepare, failed", Expect::prepare, close_complete + error, "Z"},
    {"execute", Expect::execute, "", "2E"},
    {"execute, bound", Expect::execute, bind_complete, "DCIE"},
    {"execute, a row", Expect::execute, bind_complete + row, "DCIE"},
    {"execute, complete", Expect::execute, bind_complete + row + complete, "ZE"},
    {"execute, empty query", Expect::execute, bind_complete + empty_query, "ZE"},
    {"execute, failed", Expect::execute, error, "Z"},
    {"execute, failed amid rows", Expect::execute, bind_complete + row + error, "Z"},
    {"execute, failed at its commit", Expect::execute, bind_complete + complete + error, "Z"},
    {"both", Expect::prepare_and_execute, "", "3E"},
    {"both, closed", Expect::prepare_and_execute, close_complete, "1E"},
    {"both, parsed", Expect::prepare_and_execute, close_complete + parse_complete, "tE"},
    {"both, parameters", Expect::prepare_and_execute, close_complete + parse_complete + parameters,
     "TnE"},
    {"both, columns", Expect::prepare_and_execute,
     close_complete + parse_complete + parameters + columns, "2E"},
    {"both, no columns", Expect::prepare_and_execute,
     close_complete + parse_complete + parameters + no_data, "2E"},
    {"both, bound", Expect::prepare_and_execute,
     close_complete + parse_complete + parameters + columns + bind_complete, "DCIE"},
    {"both, failed", Expect::prepare_and_execute, close_complete + error, "Z"},
};

// The event that `next` brings behind what came before. Behind Z there is an answer.
Event event_of(const Place& place, std::string_view next, const void* expected_owner) {
  static int owner;
  Pipeline pipeline(1, 1 << 20);
  wire::Buffer out;
  pipeline.push(out, place.expect, expected_owner == nullptr ? nullptr : &owner);
  const Exact before(place.before);
  EXPECT_EQ(pipeline.next(before.view()), Event::more) << place.name;
  const std::string all = place.before.substr(pipeline.consumed()) + std::string(next);
  const Exact input(all);
  return pipeline.next(input.view());
}

TEST(Pipeline, EveryMessageAtEveryPlace) {
  for (const Place& place : places) {
    for (int code = 0; code < 256; ++code) {
      const char type = static_cast<char>(code);
      Event expected = Event::violation;
      if (place.allowed.find(type) != std::string_view::npos)
        expected = type == 'Z' ? Event::answer : Event::more;
      else if (type == 'N' || type == 'A' || type == 'S')
        expected = Event::asynchronous;
      EXPECT_STREQ(name(event_of(place, example(type), &place)), name(expected))
          << place.name << ", then '" << type << "' (" << code << ")";
      // Nobody waits for it: the same rules, but no answer.
      const Event unheard = event_of(place, example(type), nullptr);
      EXPECT_STREQ(name(unheard), name(expected == Event::answer ? Event::more : expected))
          << place.name << ", forgotten, then '" << type << "' (" << code << ")";
    }
  }
}

TEST(Pipeline, ASessionThatEndsIsFatalAtEveryPlace) {
  for (const Place& place : places) {
    EXPECT_EQ(event_of(place, fatal, &place), Event::fatal) << place.name;
    EXPECT_EQ(event_of(place, panic, &place), Event::fatal) << place.name;
    EXPECT_EQ(event_of(place, fatal, nullptr), Event::fatal) << place.name;
  }
}

TEST(Pipeline, ATransactionLeftOpenIsAViolation) {
  for (const Place& place : places) {
    if (place.allowed.find('Z') == std::string_view::npos) continue;
    for (const char state : "TEX\0i"s)
      EXPECT_EQ(event_of(place, "Z\0\0\0\5"s + state, &place), Event::violation)
          << place.name << " " << state;
    EXPECT_EQ(event_of(place, "Z\0\0\0\4"s, &place), Event::violation) << place.name;
  }
}

// Also of a query that nobody waits for any more.
TEST(Pipeline, SaysWhichTransactionIsLeftOpenWhereOneMayBe) {
  Pipeline pipeline(4, 1 << 20);
  wire::Buffer out;
  pipeline.allow_transactions(true);
  EXPECT_EQ(pipeline.transaction_status(), 'I');
  const auto next = [&](char state, void* owner) {
    pipeline.push(out, Expect::execute, owner);
    const Exact input(bind_complete + complete + "Z\0\0\0\5"s + state);
    return pipeline.next(input.view());
  };
  for (const char state : "TEITI"s) {
    EXPECT_EQ(next(state, &out), Event::answer);
    EXPECT_EQ(pipeline.transaction_status(), state);
    EXPECT_EQ(next('T', nullptr), Event::more);
    EXPECT_EQ(pipeline.transaction_status(), 'T');
  }
  pipeline.allow_transactions(false);
  EXPECT_EQ(pipeline.transaction_status(), 'I') << "which is what they are allowed from";
  EXPECT_EQ(next('T', &out), Event::violation);
}

TEST(Pipeline, ATransactionOfNoKnownStateIsAViolation) {
  for (const char state : "XiZ\0"s) {
    Pipeline pipeline(4, 1 << 20);
    wire::Buffer out;
    pipeline.allow_transactions(true);
    pipeline.push(out, Expect::execute, &out);
    const Exact input(bind_complete + complete + "Z\0\0\0\5"s + state);
    EXPECT_EQ(pipeline.next(input.view()), Event::violation) << state;
  }
}

TEST(Pipeline, MessagesThatCannotBeAreViolationsAtEveryPlace) {
  for (const Place& place : places)
    for (const std::string& bad : {"D\0\0\0\3"s, "D\xff\xff\xff\xff"s, "D\x7f\xff\xff\xff"s,
                                   "2\0\0\0\5x"s, "N\0\0\0\0"s, "\0\0\0\0\4"s, "HTTP/1.1 400 Bad"s})
      EXPECT_EQ(event_of(place, bad, &place), Event::violation)
          << place.name << " " << testing::PrintToString(bad);
}

TEST(Pipeline, WhenNothingWasAskedOnlyWhatMayStandAnywhereMayCome) {
  for (int code = 0; code < 256; ++code) {
    const char type = static_cast<char>(code);
    Pipeline pipeline(4, 1 << 20);
    const Exact input(example(type));
    const bool anywhere = type == 'N' || type == 'A' || type == 'S';
    EXPECT_EQ(pipeline.next(input.view()), anywhere ? Event::asynchronous : Event::violation)
        << code;
    if (anywhere) {
      EXPECT_EQ(pipeline.consumed(), input.view().size());
      EXPECT_EQ(pipeline.next({}), Event::more);
    }
  }
  Pipeline pipeline(4, 1 << 20);
  const Exact input(fatal);
  EXPECT_EQ(pipeline.next(input.view()), Event::fatal);
  EXPECT_EQ(decode_error(pipeline.message().body).sqlstate, "57P01");
}

TEST(Pipeline, ClosesEachQueryWithASyncOfItsOwn) {
  Pipeline pipeline(4, 100);
  wire::Buffer out;
  EXPECT_TRUE(pipeline.empty());
  out.append("bind");
  EXPECT_EQ(pipeline.push(out, Expect::execute, &out), 0u);
  out.append("parse");
  EXPECT_EQ(pipeline.push(out, Expect::prepare, &out), 1u);
  EXPECT_EQ(out.view(), "bindS\0\0\0\4parseS\0\0\0\4"s);
  EXPECT_EQ(pipeline.depth(), 2u);
  EXPECT_FALSE(pipeline.full());
  pipeline.push(out, Expect::execute, &out);
  EXPECT_EQ(pipeline.push(out, Expect::execute, &out), 3u);
  EXPECT_TRUE(pipeline.full());
}

TEST(Pipeline, AnAnswerHoldsItsParts) {
  Pipeline pipeline(4, 1 << 20);
  wire::Buffer out;
  int owner = 0;
  pipeline.push(out, Expect::prepare_and_execute, &owner);
  const std::string whole = close_complete + parse_complete + parameters + columns + bind_complete +
                            row + notice + row + complete + ready;
  const Exact input(whole + row);
  EXPECT_EQ(pipeline.next(input.view()), Event::asynchronous);
  EXPECT_EQ(pipeline.consumed(), 0u) << "it stands amid an answer that is kept whole";
  EXPECT_EQ(pipeline.next(input.view()), Event::answer);
  EXPECT_EQ(pipeline.consumed(), whole.size());
  const Pipeline::Answer& answer = pipeline.answer();
  EXPECT_EQ(answer.owner, &owner);
  EXPECT_EQ(answer.expect, Expect::prepare_and_execute);
  EXPECT_FALSE(answer.failed);
  EXPECT_EQ(answer.error, "");
  EXPECT_EQ(answer.parameter_description, parameters.substr(5));
  EXPECT_EQ(answer.row_description, columns.substr(5));
  EXPECT_EQ(answer.rows, row + notice + row);
  EXPECT_EQ(answer.command_tag, "SELECT 1\0"s);
  EXPECT_TRUE(pipeline.empty());
}

TEST(Pipeline, AnErrorAmidRowsIsAFailureThatKeepsNothingOfTheAnswerBefore) {
  Pipeline pipeline(4, 1 << 20);
  wire::Buffer out;
  int first = 0, second = 0;
  pipeline.push(out, Expect::execute, &first);
  pipeline.push(out, Expect::execute, &second);
  const std::string failed = bind_complete + row + error + ready;
  const std::string none = bind_complete + complete + ready;
  const Exact input(failed + none);
  EXPECT_EQ(pipeline.next(input.view()), Event::answer);
  EXPECT_EQ(pipeline.answer().owner, &first);
  EXPECT_TRUE(pipeline.answer().failed);
  EXPECT_EQ(pipeline.answer().error, error.substr(5));
  EXPECT_EQ(pipeline.consumed(), failed.size());
  EXPECT_EQ(pipeline.next(input.view().substr(failed.size())), Event::answer);
  EXPECT_EQ(pipeline.answer().owner, &second);
  EXPECT_FALSE(pipeline.answer().failed);
  EXPECT_EQ(pipeline.answer().error, "");
  EXPECT_EQ(pipeline.answer().rows, "");
}

// What a machine says about an input that comes in pieces, each placed so that a read past it is
// seen.
class Listener {
 public:
  explicit Listener(Pipeline& pipeline) : pipeline_(pipeline) {}

  void hear(std::string_view piece) {
    kept_ += piece;
    while (!over_) {
      const Exact input(kept_);
      const Event event = pipeline_.next(input.view());
      longest_kept = std::max(longest_kept, kept_.size() - pipeline_.consumed());
      if (event != Event::more) log += describe(event);
      kept_.erase(0, pipeline_.consumed());
      if (event == Event::more) return;
      over_ = event == Event::fatal || event == Event::violation;
    }
  }

  std::string log;
  size_t longest_kept = 0;

 private:
  std::string describe(Event event) {
    std::string line(name(event));
    const auto add = [&line](std::string_view text) { line.append(" [").append(text).append("]"); };
    if (event == Event::answer || event == Event::too_large) {
      const Pipeline::Answer& answer = pipeline_.answer();
      add(*static_cast<const std::string*>(answer.owner));
      for (const std::string_view part : {answer.error, answer.parameter_description,
                                          answer.row_description, answer.rows, answer.command_tag})
        add(part);
    } else {
      const char type = static_cast<char>(pipeline_.message().type);
      add({&type, 1});
      if (event != Event::violation) add(pipeline_.message().body);
    }
    return line + "\n";
  }

  Pipeline& pipeline_;
  std::string kept_;
  bool over_ = false;
};

// Queries of every kind, some forgotten, one above the limit; answers that hold every event.
struct Recording {
  static constexpr size_t answer_limit = 120;

  struct Query {
    Expect expect;
    const char* owner;  // nullptr: forgotten
    std::string answer;
  };
  std::vector<Query> queries{
      {Expect::prepare, "prepare",
       close_complete + parse_complete + notice + parameters + columns + ready},
      {Expect::prepare, "prepare, no rows",
       close_complete + parse_complete + parameters + no_data + ready},
      {Expect::prepare, "prepare, failed", close_complete + error + ready},
      {Expect::execute, "rows", bind_complete + row + row + complete + ready},
      {Expect::execute, nullptr, bind_complete + row + row + row + complete + ready},
      {Expect::execute, nullptr, bind_complete + row + error + ready},
      {Expect::execute, "no row", notification + bind_complete + complete + status + ready},
      {Expect::execute, "nothing asked", bind_complete + empty_query + ready},
      {Expect::execute, "failed", notice + error + ready},
      {Expect::execute, "failed amid rows", bind_complete + row + notice + error + notice + ready},
      {Expect::execute, "too large", bind_complete + many_rows() + notice + complete + ready},
      {Expect::execute, nullptr, bind_complete + many_rows() + complete + ready},
      {Expect::prepare_and_execute, "both",
       close_complete + parse_complete + parameters + columns + bind_complete + row + complete +
           ready},
      {Expect::prepare_and_execute, nullptr,
       close_complete + parse_complete + error + status + ready},
      {Expect::execute, "one row too large", bind_complete + large('D') + row + complete + ready},
      {Expect::execute, nullptr, bind_complete + large('D') + complete + ready},
      {Expect::prepare, "description too large",
       close_complete + parse_complete + parameters + large('T') + ready},
      {Expect::execute, "error too large", bind_complete + row + large_error("ERROR") + ready},
      {Expect::execute, "notice too large",
       large('N') + bind_complete + large('N') + complete + ready},
      {Expect::execute, "last", bind_complete + row + status + row + complete + ready},
  };
  std::string ending = notice + large('N') + large_error("FATAL");

  // Messages longer than the limit.
  static std::string large(char type) {
    return std::string(1, type) + "\0\0\0\xa0"s + std::string(156, 'x');
  }
  static std::string large_error(const std::string& severity) {
    const std::string body =
        "S" + severity + "\0V"s + severity + "\0C57014\0M"s + std::string(129, 'm') + "\0\0"s;
    return "E\0\0\0"s + static_cast<char>(4 + body.size()) + body;
  }

  static std::string many_rows() {
    std::string rows;
    for (int i = 0; i < 12; ++i) rows += row;
    return rows;
  }
  std::string input() const {
    std::string all;
    for (const Query& query : queries) all += query.answer;
    return all + ending;
  }
  std::vector<std::string> owners() const {
    std::vector<std::string> names;
    for (const Query& query : queries) names.emplace_back(query.owner ? query.owner : "");
    return names;
  }
  // What is heard when `input` comes in these pieces.
  std::string heard(const std::vector<std::string_view>& pieces, size_t* longest_kept = nullptr) {
    Pipeline pipeline(32, answer_limit);
    wire::Buffer out;
    std::vector<std::string> names = owners();
    for (size_t i = 0; i < queries.size(); ++i) {
      const uint64_t number = pipeline.push(out, queries[i].expect, &names[i]);
      if (queries[i].owner == nullptr) pipeline.forget(number);
    }
    Listener listener(pipeline);
    for (const std::string_view piece : pieces) listener.hear(piece);
    if (longest_kept != nullptr) *longest_kept = listener.longest_kept;
    return listener.log;
  }
};

TEST(Pipeline, ARecordingIsHeardAsItWasSent) {
  Recording recording;
  const std::string input = recording.input();
  const std::string e = error.substr(5), t = parameters.substr(5), c = columns.substr(5),
                    tag = "SELECT 1\0"s;
  const std::string n = "asynchronous [N] [" + notice.substr(5) + "]\n";
  const std::string s = "asynchronous [S] [" + status.substr(5) + "]\n";
  const std::string a = "asynchronous [A] [" + notification.substr(5) + "]\n";
  EXPECT_EQ(
      recording.heard({input}),
      n + "answer [prepare] [] [" + t + "] [" + c + "] [] []\n" + "answer [prepare, no rows] [] [" +
          t + "] [] [] []\n" + "answer [prepare, failed] [" + e + "] [] [] [] []\n" +  //
          "answer [rows] [] [] [] [" + row + row + "] [" + tag + "]\n" + a + s +
          "answer [no row] [] [] [] [] [" + tag + "]\n" +
          "answer [nothing asked] [] [] [] [] []\n" +  //
          n + "answer [failed] [" + e + "] [] [] [] []\n" + n + n + "answer [failed amid rows] [" +
          e + "] [] [] [" + row + "] []\n" + "too_large [too large] [] [] [] [] []\n" + n +
          "answer [both] [] [" + t + "] [" + c + "] [" + row + "] [" + tag + "]\n" + s +
          "too_large [one row too large] [] [] [] [] []\n"
          "too_large [description too large] [] [] [] [] []\n"
          "too_large [error too large] [] [] [] [] []\n"
          "too_large [notice too large] [] [] [] [] []\n" +
          s + "answer [last] [] [] [] [" + row + status + row + "] [" + tag + "]\n" + n +
          "fatal [E] [" + Recording::large_error("FATAL").substr(5, 64) + "]\n");
}

TEST(Pipeline, EverySplitIsHeardAlike) {
  Recording recording;
  const std::string input = recording.input(), whole = recording.heard({input});
  for (size_t at = 0; at <= input.size(); ++at) {
    const std::string_view view = input;
    ASSERT_EQ(recording.heard({view.substr(0, at), view.substr(at)}), whole) << "split at " << at;
  }
  for (size_t size = 1; size < 40; ++size) {
    std::vector<std::string_view> pieces;
    for (size_t at = 0; at < input.size(); at += size)
      pieces.push_back(std::string_view(input).substr(at, size));
    ASSERT_EQ(recording.heard(pieces), whole) << "pieces of " << size;
  }
}

// Nothing is kept of what nobody waits for, nor of what would pass the limit but a header, and of
// an error its severity.
TEST(Pipeline, KeepsNoMoreThanTheLimit) {
  Recording recording;
  const std::string input = recording.input();
  std::vector<std::string_view> bytes;
  for (size_t at = 0; at < input.size(); ++at)
    bytes.push_back(std::string_view(input).substr(at, 1));
  size_t longest_kept = 0;
  recording.heard(bytes, &longest_kept);
  EXPECT_LE(longest_kept, Recording::answer_limit + 5 + 64);
}

// A function may raise any number of notices before its row.
TEST(Pipeline, NoticesCountTowardsTheLimit) {
  Pipeline pipeline(4, 100);
  wire::Buffer out;
  std::string owner = "query", next = "next";
  pipeline.push(out, Expect::execute, &owner);
  pipeline.push(out, Expect::execute, &next);
  Listener listener(pipeline);
  listener.hear(bind_complete);
  for (int i = 0; i < 50; ++i) listener.hear(notice);
  EXPECT_LE(listener.longest_kept, 100 + notice.size());
  listener.hear(row + complete + ready + bind_complete + row + complete + ready);
  const size_t too_large = listener.log.find("too_large [query]");
  EXPECT_NE(too_large, std::string::npos) << listener.log;
  EXPECT_EQ(listener.log.find("answer [query]"), std::string::npos) << listener.log;
  EXPECT_NE(listener.log.find("answer [next]"), std::string::npos) << listener.log;
}

TEST(Pipeline, AnAnswerOfTheLimitIsWhole) {
  const std::string answer = bind_complete + row + complete;
  for (const size_t limit : {answer.size(), answer.size() - 1}) {
    Pipeline pipeline(1, limit);
    wire::Buffer out;
    pipeline.push(out, Expect::execute, &out);
    const Exact input(answer + ready);
    EXPECT_EQ(pipeline.next(input.view()),
              limit == answer.size() ? Event::answer : Event::too_large);
  }
}

TEST(Pipeline, AnOwnerForgottenAmidItsAnswerIsNotToldOfIt) {
  const std::string answer = bind_complete + row + row + complete + ready;
  for (size_t at = 0; at < answer.size(); ++at) {
    Pipeline pipeline(2, 1 << 20);
    wire::Buffer out;
    std::string gone = "gone", next = "next";
    const uint64_t number = pipeline.push(out, Expect::execute, &gone);
    pipeline.push(out, Expect::execute, &next);
    Listener listener(pipeline);
    listener.hear(answer.substr(0, at));
    EXPECT_FALSE(pipeline.front_forgotten());
    pipeline.forget(number);
    EXPECT_TRUE(pipeline.front_forgotten());
    listener.hear(answer.substr(at) + answer);
    EXPECT_EQ(listener.log, "answer [next] [] [] [] [" + row + row + "] [SELECT 1" + '\0' + "]\n")
        << at;
  }
}

TEST(Pipeline, NumbersGoRoundTheRing) {
  Pipeline pipeline(2, 1 << 20);
  wire::Buffer out;
  const std::string answer = bind_complete + complete + ready;
  const Exact input(answer);
  std::string owners[2];
  pipeline.push(out, Expect::execute, &owners[0]);
  for (uint64_t i = 1; i < 9; ++i) {
    EXPECT_EQ(pipeline.push(out, Expect::execute, &owners[i % 2]), i);
    EXPECT_TRUE(pipeline.full());
    if (i == 4) pipeline.forget(4);
    if (i == 5) {
      EXPECT_TRUE(pipeline.front_forgotten());
      EXPECT_EQ(pipeline.next(input.view()), Event::more);
      EXPECT_EQ(pipeline.consumed(), answer.size());
    } else {
      EXPECT_EQ(pipeline.next(input.view()), Event::answer);
      EXPECT_EQ(pipeline.answer().owner, &owners[(i - 1) % 2]);
    }
    EXPECT_EQ(pipeline.depth(), 1u);
  }
}

TEST(Pipeline, HandsBackWhatIsUnansweredInItsOrder) {
  Pipeline pipeline(4, 1 << 20);
  wire::Buffer out;
  std::string first = "first", second = "second", third = "third";
  pipeline.push(out, Expect::execute, &first);
  const uint64_t number = pipeline.push(out, Expect::execute, &second);
  pipeline.push(out, Expect::execute, &third);
  const Exact amid(bind_complete + row);
  EXPECT_EQ(pipeline.next(amid.view()), Event::more);
  pipeline.forget(number);
  EXPECT_EQ(pipeline.pop_unanswered(), &first);
  EXPECT_EQ(pipeline.pop_unanswered(), nullptr);
  EXPECT_EQ(pipeline.pop_unanswered(), &third);
  EXPECT_TRUE(pipeline.empty());
}

TEST(Pipeline, AGroupHasOneSync) {
  Pipeline pipeline(8, 100);
  wire::Buffer out;
  pipeline.seal(out);
  EXPECT_EQ(out.view(), "") << "no group is open";
  for (const char* query : {"a", "b", "c"}) {
    out.append(query);
    pipeline.push(out, Expect::execute, &out, Pipeline::Sync::shared);
  }
  EXPECT_EQ(pipeline.group_size(), 3u);
  pipeline.seal(out);
  pipeline.seal(out);
  EXPECT_EQ(pipeline.group_size(), 0u);
  out.append("w");
  pipeline.push(out, Expect::execute, &out);
  out.append("d");
  pipeline.push(out, Expect::execute, &out, Pipeline::Sync::shared);
  pipeline.seal(out);
  EXPECT_EQ(out.view(), "abcS\0\0\0\4wS\0\0\0\4dS\0\0\0\4"s);
}

TEST(Pipeline, NothingIsAnsweredBeforeItsGroupIsSealed) {
  for (const std::string& early : {bind_complete, error, ready}) {
    Pipeline pipeline(4, 1 << 20);
    wire::Buffer out;
    pipeline.push(out, Expect::execute, &out, Pipeline::Sync::shared);
    const Exact input(early);
    EXPECT_EQ(pipeline.next(input.view()), Event::violation) << early;
  }
}

// What happens to a group: where it fails and at which step, who has gone, whose answer is too
// large; no_one for nowhere.
constexpr size_t no_one = 9;
struct Fate {
  size_t size, failing, forgotten, large;
  std::string failure;
};

// What a group and a query of its own behind it are told, when `sent` comes in pieces cut at `cut`.
std::string told(const Fate& fate, const std::string& sent, size_t cut) {
  static const char* const names = "abcdez";
  Pipeline pipeline(8, 60);
  wire::Buffer out;
  for (size_t i = 0; i < fate.size; ++i) {
    const uint64_t number =
        pipeline.push(out, Expect::execute, const_cast<char*>(names + i), Pipeline::Sync::shared);
    if (i == fate.forgotten) pipeline.forget(number);
  }
  pipeline.seal(out);
  pipeline.push(out, Expect::execute, const_cast<char*>(names + 5));
  std::string log, kept;
  for (const std::string& piece : {sent.substr(0, cut), sent.substr(cut)}) {
    kept += piece;
    for (Event event = Event::answer; event != Event::more;) {
      const Exact input(kept);
      event = pipeline.next(input.view());
      if (event == Event::fatal || event == Event::violation) {
        log += event == Event::fatal ? "!" : "?";
        while (!pipeline.empty())
          if (const void* owner = pipeline.pop_unanswered())
            log += *static_cast<const char*>(owner);
        return log;
      }
      if (event != Event::more) {
        log += *static_cast<const char*>(pipeline.answer().owner);
        if (event == Event::skipped) log += '-';
        if (event == Event::too_large) log += '+';
        if (event == Event::answer) {
          log += pipeline.answer().failed ? 'x' : '.';
          EXPECT_EQ(pipeline.answer().error, pipeline.answer().failed ? error.substr(5) : "");
          EXPECT_EQ(pipeline.answer().rows,
                    pipeline.answer().failed ? pipeline.answer().rows : row);
        }
      }
      kept.erase(0, pipeline.consumed());
    }
  }
  EXPECT_EQ(kept, "");
  EXPECT_TRUE(pipeline.empty());
  return log;
}

void try_every_split(const Fate& fate) {
  std::string sent, expected;
  bool over = false;
  for (size_t i = 0; i < fate.size && !over; ++i) {
    const bool wanted = i != fate.forgotten, large = i == fate.large;
    const std::string rows = large ? row + row + row + row + row + row : row;
    if (i == fate.failing) {
      sent += fate.failure;
      over = true;
    } else {
      sent += bind_complete + rows + complete;
    }
    if (over && fate.failure == fatal) break;
    if (wanted) expected += "abcde"[i] + std::string(over ? "x" : large ? "+" : ".");
  }
  if (over && fate.failure == fatal) {
    expected += '!';
    for (size_t i = fate.failing; i < fate.size; ++i)
      if (i != fate.forgotten) expected += "abcde"[i];
    expected += 'z';
  } else {
    for (size_t i = fate.failing + 1; over && i < fate.size; ++i)
      if (i != fate.forgotten) expected += "abcde"[i] + std::string("-");
    sent += ready + bind_complete + row + complete + ready;
    expected += "z.";
  }
  for (size_t cut = 0; cut <= sent.size(); ++cut)
    ASSERT_EQ(told(fate, sent, cut), expected)
        << fate.size << " fails " << fate.failing << " forgotten " << fate.forgotten << " large "
        << fate.large << " cut " << cut;
}

TEST(Pipeline, AGroupFailsAtOnePlaceAndTellsWhatWasSkipped) {
  for (size_t size = 1; size <= 5; ++size)
    for (size_t failing = 0; failing <= size; ++failing)
      for (size_t forgotten = 0; forgotten <= size; ++forgotten)
        for (size_t large = 0; large <= size; ++large)
          for (const std::string& failure : {error, bind_complete + row + error, fatal}) {
            if (large >= failing && large < size) continue;  // never sent
            try_every_split({size, failing < size ? failing : no_one,
                             forgotten < size ? forgotten : no_one, large < size ? large : no_one,
                             failure});
          }
}

TEST(Pipeline, AGroupEndsOnceAndNothingOfItComesBehindAFailure) {
  for (const std::string& sent :
       {bind_complete + row + complete + ready, error + bind_complete, error + error}) {
    Pipeline pipeline(4, 1 << 20);
    wire::Buffer out;
    pipeline.push(out, Expect::execute, &out, Pipeline::Sync::shared);
    pipeline.push(out, Expect::execute, &out, Pipeline::Sync::shared);
    pipeline.seal(out);
    std::string kept = sent;
    Event event = Event::answer;
    while (event == Event::answer) {
      const Exact input(kept);
      event = pipeline.next(input.view());
      kept.erase(0, pipeline.consumed());
    }
    EXPECT_EQ(event, Event::violation) << testing::PrintToString(sent);
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
