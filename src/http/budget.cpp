#include "src/http/budget.h"

#include <cassert>
#include <utility>

#include "src/io/condition.h"
#include "src/io/reactor.h"

namespace ringpost::http {

namespace {
// What an answer of a few hundred bytes takes, with its head.
constexpr size_t small = 4096;
// How often it is looked, while somebody waits, what the peers have taken.
constexpr std::chrono::milliseconds while_waiting{50};
}  // namespace

struct Budget::Waiter : io::ListNode<Waiter> {
  Waiter(Account& owner, size_t wanted) : account(owner), bytes(wanted) {}
  Account& account;
  size_t bytes;
  bool admitted = false;
  io::Condition changed;  // admitted, or first in line
};

Budget::~Budget() {
  assert(accounts_.empty() && waiting_.empty());
}

void Budget::charge(Account& account, size_t bytes) {
  if (!account.linked()) accounts_.push_back(account);
  account.charged_ += bytes;
  charged_ += bytes;
  since_look_ += bytes;
}

void Budget::grant(Account& account, size_t bytes) {
  account.reserved_ += bytes;
  charge(account, bytes);
}

bool Budget::reserve(Account& account, size_t bytes) {
  if (!waiting_.empty() || !fits(bytes)) [[unlikely]] {
    // A look takes some hundred nanoseconds for each account: charges have to be worth it.
    if (waiting_.empty() && since_look_ >= limit_ / 16) look_up();
    const bool room = waiting_.empty() && fits(bytes);
    if (!room && bytes + account.reserved_ + account.held() > small) return false;
  }
  grant(account, bytes);
  return true;
}

void Budget::settle(Account& account, size_t reserved, size_t bytes) {
  assert(reserved <= account.reserved_ && account.reserved_ <= account.charged_);
  account.reserved_ -= reserved;
  account.charged_ -= reserved;
  charged_ -= reserved;
  charge(account, bytes);
  if (!waiting_.empty()) admit();
}

void Budget::close(Account& account) {
  account.reserved_ = 0;
  charged_ -= std::exchange(account.charged_, 0);
  if (account.linked()) account.unlink();
  if (!waiting_.empty()) admit();
}

io::Task<bool> Budget::wait(Account& account, size_t bytes, io::Until until) {
  Waiter waiter(account, bytes);
  waiting_.push_back(waiter);
  charge(account, 0);  // what it has read already is looked up with the others'
  const auto is_first = [&] { return !waiting_.empty() && &waiting_.front() == &waiter; };
  for (bool changed = true; changed && !waiter.admitted;) {
    // Who is first looks, from time to time, what the peers have taken.
    const bool first = is_first();
    const io::Until look = first ? until.sooner(reactor_.now() + while_waiting) : until;
    auto change =
        waiter.changed.wait(reactor_, look, [&] { return waiter.admitted || is_first() != first; });
    changed = co_await change;
    if (changed || until.deadline <= reactor_.now()) continue;
    if (until.cancellation != nullptr && until.cancellation->requested()) continue;
    look_up();
    admit();
    changed = true;
  }
  if (!waiter.admitted) {
    waiter.unlink();
    admit();
  }
  co_return waiter.admitted;
}

// Asks every account what it holds.
void Budget::look_up() {
  io::List<Account, Account> all;
  all.take(accounts_);
  charged_ = 0;
  while (!all.empty()) {
    Account& account = all.pop_front();
    account.charged_ = 0;
    if (const size_t held = account.reserved_ + account.held(); held != 0) charge(account, held);
  }
  since_look_ = 0;
}

void Budget::admit() {
  while (!waiting_.empty() && fits(waiting_.front().bytes)) {
    Waiter& waiter = waiting_.pop_front();
    grant(waiter.account, waiter.bytes);
    waiter.admitted = true;
    waiter.changed.changed();
  }
  if (!waiting_.empty()) waiting_.front().changed.changed();
}

}  // namespace ringpost::http
