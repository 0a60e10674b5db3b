#include "proto/pg/pipeline.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "proto/pg/error.h"

namespace ringpost::proto::pg {

namespace {
constexpr std::string_view sync_message("S\0\0\0\4", 5);
constexpr size_t header_bytes = 5;
// Of an ErrorResponse: as much holds its severity, which stands first.
constexpr size_t severity_bytes = 64;

using Type = BackendMessage;

bool is_asynchronous(Type type) {
  return type == Type::NoticeResponse || type == Type::NotificationResponse ||
         type == Type::ParameterStatus;
}

// Of those that an answer is made of.
bool may_be_long(Type type) {
  return type == Type::DataRow || type == Type::ErrorResponse || type == Type::RowDescription ||
         type == Type::ParameterDescription;
}
}  // namespace

Pipeline::Pipeline(uint32_t depth, size_t answer_limit)
    : entries_(size_t{2} * depth), mask_(2 * uint64_t{depth} - 1), answer_limit_(answer_limit) {
  assert(std::has_single_bit(depth));
}

uint64_t Pipeline::push(wire::Buffer& out, Expect expect, void* owner, Sync sync, Note note) {
  assert(!full());
  assert(sync == Sync::own ? group_size() == 0 : expect == Expect::execute);
  entry(pushed_) = {owner, note, expect, false};
  const uint64_t number = pushed_++;
  if (sync == Sync::own) seal(out);
  return number;
}

void Pipeline::seal(wire::Buffer& out) {
  if (group_size() == 0) return;
  out.append(sync_message);
  entry(pushed_ - 1).ends_group = true;
  sealed_ = pushed_;
}

Pipeline::Step Pipeline::first_step(Expect expect) {
  return expect == Expect::execute ? Step::bind_complete : Step::close_complete;
}

// The grammar at the top of the header, as a function of where the answer is and what comes.
// Inlined: else GCC calls it for each message.
[[gnu::always_inline]] inline Pipeline::Step Pipeline::after(Step step, const Entry& entry,
                                                             Type type) {
  if (type == Type::ErrorResponse)
    return step == Step::done ? Step::misplaced : Step::ready_for_query;
  switch (step) {
    case Step::close_complete:
      return type == Type::CloseComplete ? Step::parse_complete : Step::misplaced;
    case Step::parse_complete:
      return type == Type::ParseComplete ? Step::parameter_description : Step::misplaced;
    case Step::parameter_description:
      return type == Type::ParameterDescription ? Step::row_description : Step::misplaced;
    case Step::row_description:
      if (type != Type::RowDescription && type != Type::NoData) return Step::misplaced;
      return entry.expect == Expect::prepare ? Step::ready_for_query : Step::bind_complete;
    case Step::bind_complete:
      return type == Type::BindComplete ? Step::rows : Step::misplaced;
    case Step::rows:
      if (type == Type::DataRow) return Step::rows;
      if (type != Type::CommandComplete && type != Type::EmptyQueryResponse) return Step::misplaced;
      return entry.ends_group ? Step::ready_for_query : Step::done;
    case Step::ready_for_query:
      return type == Type::ReadyForQuery ? Step::done : Step::misplaced;
    case Step::done:
    case Step::misplaced:
      break;
  }
  return Step::misplaced;
}

bool Pipeline::begin_answer() {
  if (popped_ == sealed_) return false;  // nothing was sent that is not answered
  in_answer_ = true;
  failed_ = false;
  step_ = first_step(entries_[popped_ & mask_].expect);
  error_ = parameter_description_ = row_description_ = rows_ = command_tag_ = {};
  return true;
}

void Pipeline::remember(const Message& message, size_t at) {
  const Part body{at + message.size - message.body.size(), at + message.size};
  switch (message.type) {
    case Type::ErrorResponse:
      failed_ = true;
      error_ = body;
      break;
    case Type::ParameterDescription:
      parameter_description_ = body;
      break;
    case Type::RowDescription:
      row_description_ = body;
      break;
    case Type::CommandComplete:
      command_tag_ = body;
      break;
    default:
      break;
  }
}

void Pipeline::finish(const char* begin) {
  const Entry& front = entries_[popped_++ & mask_];
  answer_.owner = front.owner;
  answer_.expect = front.expect;
  answer_.failed = failed_;
  answer_.error = error_.of(begin);
  answer_.parameter_description = parameter_description_.of(begin);
  answer_.row_description = row_description_.of(begin);
  answer_.rows = rows_.of(begin);
  answer_.command_tag = command_tag_.of(begin);
  consumed_ += scanned_;
  scanned_ = 0;
  in_answer_ = false;
  skipping_ = failed_ && !front.ends_group;
}

// Takes out the next query that the server skipped and somebody waits for; false when there is
// none.
bool Pipeline::skip() {
  while (skipping_) {
    const Entry& front = entries_[popped_++ & mask_];
    skipping_ = !front.ends_group;
    if (front.owner == nullptr) continue;
    answer_ = Answer();
    answer_.owner = front.owner;
    answer_.expect = front.expect;
    return true;
  }
  return false;
}

// What was scanned of an answer that nobody waits for need not be kept.
void Pipeline::drop_scanned() {
  consumed_ += scanned_;
  scanned_ = 0;
  error_ = parameter_description_ = row_description_ = rows_ = command_tag_ = {};
}

// Lets what has come of a message that is not kept pass; whether that was its end.
[[gnu::cold]] bool Pipeline::pass_on(std::string_view input) {
  const size_t here = std::min(passing_, input.size() - consumed_);
  consumed_ += here;
  passing_ -= here;
  return passing_ == 0;
}

// The message at the front, of which `arrived` has come, is too long to be kept, or has not come
// whole. Decided by its header: who waits for it is told, once; then it passes as it comes, if it
// is too long or a row for nobody. No value: it is kept (`passing_` is 0), or passes.
[[gnu::cold]] std::optional<Pipeline::Event> Pipeline::judge(std::string_view arrived) {
  const bool for_nobody = in_answer_ && front_forgotten();
  if (for_nobody) drop_scanned();
  if (arrived.size() < header_bytes) return Event::more;
  const Type type = message_.type;
  // Notices count too: a function may raise any number of them. A ReadyForQuery is not kept.
  const bool too_long = scanned_ + message_.size > answer_limit_ && type != Type::ReadyForQuery;
  if (!too_long && !(for_nobody && type == Type::DataRow)) return std::nullopt;
  if (type == Type::ErrorResponse) {
    const size_t needed = std::min(message_.size, header_bytes + severity_bytes);
    if (arrived.size() < needed) return Event::more;
    const std::string_view front = arrived.substr(header_bytes, needed - header_bytes);
    if (is_fatal(front)) {
      message_.body = front;
      return Event::fatal;
    }
  }
  const bool asynchronous = is_asynchronous(type);
  if (!asynchronous && !in_answer_ && !begin_answer()) return Event::violation;
  const Step step = asynchronous ? step_ : after(step_, entries_[popped_ & mask_], type);
  if (step == Step::misplaced || (type == Type::ErrorResponse && failed_)) return Event::violation;
  if (in_answer_ && !front_forgotten()) {
    answer_ = Answer();
    answer_.owner = entries_[popped_ & mask_].owner;
    answer_.expect = entries_[popped_ & mask_].expect;
    forget(popped_);
    return Event::too_large;
  }
  if (!asynchronous && !may_be_long(type)) return std::nullopt;
  step_ = step;
  failed_ |= type == Type::ErrorResponse;
  passing_ = message_.size;
  return std::nullopt;
}

// Whether a ReadyForQuery may say so.
[[gnu::cold]] bool Pipeline::note_status(std::string_view status) {
  if (!transactions_ || (status != "I" && status != "T" && status != "E")) return false;
  transaction_status_ = status.front();
  return true;
}

Pipeline::Event Pipeline::next(std::string_view input) {
  consumed_ = 0;
  if (passing_ != 0 && !pass_on(input)) return Event::more;
  for (;;) {
    if (skip()) return Event::skipped;
    const size_t done = consumed_ + scanned_;
    assert(done <= input.size());
    const std::string_view rest(input.data() + done, input.size() - done);
    const wire::Parse parse = next_message(rest, message_);
    if (parse == wire::Parse::invalid) return Event::violation;
    if (parse == wire::Parse::partial || scanned_ + message_.size > answer_limit_) [[unlikely]] {
      if (const auto event = judge(rest)) return *event;
      if (passing_ != 0) {
        if (!pass_on(input)) return Event::more;
        continue;
      }
      if (parse == wire::Parse::partial) return Event::more;
    }
    // Most of what comes: the next row of an answer, whose place is known.
    if (message_.type == Type::DataRow && step_ == Step::rows) {
      if (rows_.end == 0) rows_.begin = scanned_;
      rows_.end = scanned_ += message_.size;
      continue;
    }
    if (is_asynchronous(message_.type)) {
      (in_answer_ ? scanned_ : consumed_) += message_.size;
      return Event::asynchronous;
    }
    if (message_.type == Type::ErrorResponse && is_fatal(message_.body)) return Event::fatal;
    if (!in_answer_ && !begin_answer()) return Event::violation;
    const Step step = after(step_, entries_[popped_ & mask_], message_.type);
    if (step == Step::misplaced || (message_.type == Type::ErrorResponse && failed_))
      return Event::violation;
    // A session left in a transaction would mix the work of its next queries with it.
    if (message_.type == Type::ReadyForQuery && (message_.body != "I" || transactions_) &&
        !note_status(message_.body)) [[unlikely]]
      return Event::violation;
    step_ = step;
    remember(message_, scanned_);
    scanned_ += message_.size;
    if (step_ == Step::done) {
      const bool wanted = !front_forgotten();
      finish(input.data() + consumed_);
      if (wanted) return Event::answer;
    }
  }
}

}  // namespace ringpost::proto::pg
