// Pipeline: which answer belongs to which query on one PostgreSQL connection, with no I/O.
//
// Queries are pushed in the order in which they are sent and answered in that order (PostgreSQL 18
// documentation, 54.2.4 "Pipelining"). One answer is, by what its query asked for (Expect),
//
//     prepare   CloseComplete ParseComplete ParameterDescription (RowDescription | NoData)
//     execute   BindComplete DataRow* (CommandComplete | EmptyQueryResponse)
//     then, behind the last of a group,  ReadyForQuery
//
// A group is what shares one Sync, mostly a single query. It is one implicit transaction: behind an
// ErrorResponse at any step the server skips all that is left of the group, and ReadyForQuery
// comes. The failure is that one query's; those behind it in the group were never executed and are
// told apart (Event::skipped), to be asked again. So only what may be asked again shares a Sync.
// Nothing of a group is answered before it is sealed.
//
// There is nothing else: any other message, or one out of its place, is a violation, after which
// the connection can't be trusted and is closed. NoticeResponse, NotificationResponse and
// ParameterStatus may stand anywhere.
//
// An owner is an opaque pointer. One that gives up is forgotten; its answer is still drained. This
// is also the one place that decides where a Sync goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proto/pg/backend.h"
#include "proto/wire/buffer.h"

namespace ringpost::proto::pg {

class Pipeline {
 public:
  enum class Expect : uint8_t { prepare, execute, prepare_and_execute };
  // Whether others may stand before or behind a query in its group.
  enum class Sync : uint8_t { own, shared };

  // What the caller notes of a query beside its owner, who may be gone when the answer comes.
  struct Note {
    float charge;
    uint32_t statement;
  };

  // One whole answer. Views live in the input of the next() that returned it.
  struct Answer {
    void* owner = nullptr;
    Expect expect = Expect::execute;
    // ErrorResponse: `error` is its body.
    bool failed = false;
    std::string_view error;
    // Bodies, when asked for; that of the rows is empty for NoData.
    std::string_view parameter_description, row_description;
    // Whole messages: DataRow, and what may stand between them.
    std::string_view rows;
    // Body of CommandComplete.
    std::string_view command_tag;
  };

  enum class Event : uint8_t {
    // The input ends inside an answer (or before one): keep what was not consumed, read on.
    more,
    // answer() is there.
    answer,
    // The answer to answer().owner and expect would pass the limit, as the header of a message
    // says: the owner is forgotten and the rest drained as it comes.
    too_large,
    // The server skipped the query of answer().owner and expect, as one before it in its group had
    // failed: it was not executed.
    skipped,
    // message(): NoticeResponse, NotificationResponse or ParameterStatus.
    asynchronous,
    // message(): an ErrorResponse that ends the connection, asked for by no query in particular.
    fatal,
    // message() has no place here, or can't be one.
    violation,
  };

  // `depth`: most queries in flight, a power of two. `answer_limit`: most bytes of one answer.
  Pipeline(uint32_t depth, size_t answer_limit);

  uint32_t depth() const { return static_cast<uint32_t>(pushed_ - popped_); }
  bool empty() const { return pushed_ == popped_; }
  // The number of the query that is answered next.
  uint64_t next_number() const { return popped_; }
  bool full() const { return depth() > mask_ / 2; }

  // A query whose messages were just appended to `out`: closes it with its Sync, or joins it to the
  // open group. Returns its number, for forget(). REQUIRES: not full; with a Sync of its own, that
  // no group is open: seal() stands before its messages. What prepares has its own.
  uint64_t push(wire::Buffer& out, Expect expect, void* owner, Sync sync = Sync::own,
                Note note = {});
  // Whether a query may leave a transaction open behind it (BEGIN); else one is a violation, as all
  // that is asked later would be part of it.
  void allow_transactions(bool allowed) {
    transactions_ = allowed;
    transaction_status_ = 'I';
  }
  // What the last ReadyForQuery has said since they were allowed: I (idle), T (in a transaction), E
  // (in one that has failed).
  char transaction_status() const { return transaction_status_; }

  // Closes the open group, if there is one, with its Sync. REQUIRES: before `out` is sent.
  void seal(wire::Buffer& out);
  // Queries in the open group.
  uint32_t group_size() const { return static_cast<uint32_t>(pushed_ - sealed_); }

  // What was noted of query `number`: in flight, or answered from input that came in one piece with
  // the newest.
  const Note& note(uint64_t number) const { return entries_[number & mask_].note; }

  // The owner of query `number` no longer wants the answer. REQUIRES: it is in flight.
  void forget(uint64_t number) { entry(number).owner = nullptr; }
  // Whether the query that is answered next has lost its owner. REQUIRES: not empty.
  bool front_forgotten() const { return entries_[popped_ & mask_].owner == nullptr; }

  // Takes the oldest query out, unanswered: the connection is gone. REQUIRES: not empty.
  void* pop_unanswered() { return entries_[popped_++ & mask_].owner; }

  // Walks on through `input`: the bytes received and not yet consumed, from the first. Of these
  // consumed() are done with after the call, whatever it returned; call again with the rest until
  // it asks for more. Bytes may move between calls.
  Event next(std::string_view input);
  size_t consumed() const { return consumed_; }
  const Answer& answer() const { return answer_; }
  const Message& message() const { return message_; }

 private:
  enum class Step : uint8_t {
    close_complete,
    parse_complete,
    parameter_description,
    row_description,
    bind_complete,
    rows,
    ready_for_query,
    done,
    misplaced,
  };
  struct Entry {
    void* owner;
    Note note;
    Expect expect;
    bool ends_group;  // a Sync stands behind it
  };
  // A part of the answer, as offsets from the answer's first byte.
  struct Part {
    size_t begin = 0, end = 0;
    std::string_view of(const char* answer) const { return {answer + begin, end - begin}; }
  };

  static Step first_step(Expect expect);
  static Step after(Step step, const Entry& entry, BackendMessage type);

  Entry& entry(uint64_t number) { return entries_[number & mask_]; }
  bool begin_answer();
  bool skip();
  bool pass_on(std::string_view input);
  std::optional<Event> judge(std::string_view arrived);
  void remember(const Message& message, size_t at);
  void finish(const char* begin);
  void drop_scanned();
  bool note_status(std::string_view status);

  // Twice the depth: whoever is answered may push the next at once, and what was noted of those
  // that came with it is still read.
  std::vector<Entry> entries_;
  uint64_t pushed_ = 0, popped_ = 0, mask_;
  uint64_t sealed_ = 0;  // the first number of the open group
  size_t answer_limit_;

  // The answer being received.
  bool in_answer_ = false, failed_ = false;
  bool transactions_ = false;
  char transaction_status_ = 'I';
  bool skipping_ = false;  // what is next was skipped by the server, to the end of its group
  Step step_ = Step::done;
  size_t scanned_ = 0;
  size_t passing_ = 0;  // bytes to come of a message that is not kept
  Part error_, parameter_description_, row_description_, rows_, command_tag_;

  size_t consumed_ = 0;
  Answer answer_;
  Message message_{};
};

}  // namespace ringpost::proto::pg
