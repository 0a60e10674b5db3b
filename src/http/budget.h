// Budget: the memory that the answers of one shard may take, from being asked for until the peer
// has taken them.
//
// A session has an account. Before it hands a request over it reserves what the answer may take, by
// the handler's estimate; when there is no room it reads no further, and waits in line. Its account
// is then charged with what the answer did take. That a peer has taken some of it nobody tells: the
// kernel holds what was sent until it is acknowledged. So charges are too high until they are
// needed, and looked up anew when the budget seems to be used up.
//
// Whoever holds next to nothing may always be given a small answer, beside the budget: readers that
// stand still must not keep others from what costs little. An answer that is larger than all of the
// budget is given alone.
//
// All accounts are closed before the Budget ends.
#pragma once

#include <cstddef>

#include "src/io/clock.h"
#include "src/io/list.h"
#include "src/io/task.h"
#include "src/io/wait.h"

namespace ringpost::http {

// More than an answer's head has, with a few fields of the handler's own.
inline constexpr size_t head_bytes = 256;
// The memory that bytes of an answer may take until the peer has taken them: up to twice their size
// in the buffer, which grows by doubling, and as much again in the kernel with its bookkeeping, as
// a buffer is kept until all of it is sent.
constexpr size_t memory_of(size_t answer_bytes) {
  return 4 * answer_bytes;
}

class Budget {
 public:
  // What one session is charged. Its owner closes it before it ends.
  class Account : public io::ListNode<Account> {
   protected:
    ~Account() = default;

   private:
    friend class Budget;
    // Bytes of memory that it, and the kernel for it, hold now.
    virtual size_t held() const = 0;
    size_t reserved_ = 0;
    size_t charged_ = 0;  // what is reserved, and no less than what is held
  };

  // `limit` in bytes.
  Budget(io::Reactor& reactor, size_t limit) : reactor_(reactor), limit_(limit) {}
  ~Budget();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // Reserves `bytes` for an answer; false when there is no room, or others wait for it.
  bool reserve(Account& account, size_t bytes);
  // The same, in line; false when its time was up before.
  io::Task<bool> wait(Account& account, size_t bytes, io::Until until);
  // An answer for which `reserved` bytes were is there: `account` holds `bytes` for it.
  void settle(Account& account, size_t reserved, size_t bytes);
  // It holds nothing any more, and is not looked at again.
  void close(Account& account);

  size_t charged() const { return charged_; }

 private:
  struct Waiter;

  bool fits(size_t bytes) const { return charged_ == 0 || charged_ + bytes <= limit_; }
  void charge(Account& account, size_t bytes);
  void grant(Account& account, size_t bytes);
  void look_up();
  void admit();

  io::Reactor& reactor_;
  size_t limit_;
  size_t charged_ = 0;                   // the sum of all accounts
  size_t since_look_ = 0;                // charged since it was looked up what they hold
  io::List<Account, Account> accounts_;  // those with a charge
  io::List<Waiter, Waiter> waiting_;
};

}  // namespace ringpost::http
