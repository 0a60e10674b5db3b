// What the tests of renewal share: what is said of it, and clients that ask while it happens.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "tests/pg/answering.h"
#include "tests/pg/server_roles.h"

namespace ringpost::pg {

inline const std::string old_age = "retired: it is old", unneeded = "retired: it has nothing to do",
                         moved = "retired: a better host is back",
                         changed =
                             "retired: its server is no longer what target_session_attrs asks for";

inline io::Task<void> ask_until(io::Reactor& reactor, Client& client, std::deque<Answer>& answers,
                                bool& enough) {
  while (!enough) {
    answers.emplace_back();
    co_await client.run(answers.back(), static_cast<int32_t>(answers.size() % 100));
    co_await io::Sleep(reactor, 1ms, nullptr);
  }
}

inline io::Task<void> said(Client& client, std::string_view line, size_t count = 1) {
  const bool there = co_await client.until([&] { return client.observer.count(line) >= count; });
  EXPECT_TRUE(there) << line;
}

// Two that ask all the time until `line` was said: they get their own answers, and no other.
inline io::Task<void> while_asked(io::Reactor& reactor, Client& client, std::string_view line) {
  std::deque<Answer> first, second;
  bool enough = false;
  io::Scope scope(reactor);
  scope.spawn(ask_until(reactor, client, first, enough));
  scope.spawn(ask_until(reactor, client, second, enough));
  co_await said(client, line);
  enough = true;
  co_await scope.join();
  for (const auto* answers : {&first, &second}) {
    EXPECT_GT(answers->size(), 3u);
    for (size_t i = 0; i < answers->size(); ++i)
      EXPECT_TRUE((*answers)[i].is({static_cast<int32_t>((i + 1) % 100)})) << i << (*answers)[i];
  }
}

}  // namespace ringpost::pg
