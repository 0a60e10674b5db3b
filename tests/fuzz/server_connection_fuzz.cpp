// Invariant: each request that was taken gets one answer, in its order and rightly framed (no
// content to HEAD, 100 where it is due and before the answer alone), the last says `Connection:
// close` when the connection ends and no other does; requests begin and end where a parser and a
// decoder of their own say; and neither how the input was cut, nor who shares the parser, nor when
// answers are given, whole or as drafts, changes what is written.
//
//     piece (1 byte)  script length (1 byte)  script (1 byte each: what, and how much)
//     what the client sends
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/http/server_connection.h"
#include "tests/fuzz/http_client.h"
#include "tests/support/guarded.h"

namespace ringpost {
namespace {

using namespace fuzz;
using Event = ServerConnection::Event;
using Stage = ServerConnection::Stage;
using Intake = ServerConnection::Intake;

std::string number_text(uint64_t number) {
  return "answer " + std::to_string(number);
}

// A connection, what has come for it, and what a client must be able to make of its answers.
class Peer {
 public:
  // `keeps`: bodies, rather than drops them, which must not matter.
  Peer(RequestParser& parser, const std::vector<Asked>& asked, bool keeps = false)
      : asked_(asked), connection_(parser, body_bytes), keeps_(keeps) {}

  bool closed() const { return connection_.closed(); }
  bool waits() const { return offered_ == Event::permission; }
  bool offers() const { return offered_ != Event::more && offered_ != Event::closed; }

  // More has come; makes an offer, or none.
  void hear(std::string_view bytes) {
    unread_ += bytes;
    if (!unread_.empty()) continue_due_ = false;
    input_.reset();
    input_.emplace(unread_);
    in_use_ = false;
    offered_ = connection_.next(input_->view());
    drop_consumed();
    if (offered_ == Event::body) {
      require(!connection_.accept_body(out_, keeps_ ? Intake::keep : Intake::drop));
      drop_consumed();
      input_.reset();
      input_.emplace(unread_);
      offered_ = connection_.next(input_->view());
      drop_consumed();
      require(offered_ != Event::body);
    }
    if (offered_ == Event::kept) {
      require(keeps_);
      offered_ = Event::request;
    }
    if (offered_ == Event::closed) require(closed() && unread_.empty());
    if (offered_ == Event::more) require(!closed());
    if (offered_ == Event::refusal) {
      const Status status = connection_.refusal().status;
      require(late_ ? status == Status::request_timeout : status == next().refused);
    }
    if (offered_ == Event::request || waits())
      require(text_of(connection_.request()) == next().text && (waits() || next().whole));
    require((connection_.stage() == Stage::head) == (offered_ == Event::more && begins(unread_)));
    require((connection_.stage() == Stage::permission) == continue_due_ || closed());
  }

  void take() {
    const bool refused = offered_ == Event::refusal;
    const bool waited = waits();
    const Asked asked = late_ ? Asked{.head = late_head_} : next();
    require(connection_.take() == taken_.size());
    drop_consumed();
    in_use_ = !refused;
    if (!refused && !waited) require(consumed_ == asked.end);
    taken_.push_back(asked);
    read_again();
    given_.push_back(false);
    offered_ = Event::more;
    require(closed() == (refused || waited || !asked.keep_alive || (draining_ && unread_.empty())));
    require(connection_.stage() == (closed() ? Stage::closed : Stage::answers));
    require(connection_.used());
  }

  void accept_body() {
    const bool due = written_ == taken_.size();
    require(connection_.accept_body(out_, keeps_ ? Intake::keep : Intake::drop) == due);
    require(!closed());
    drop_consumed();
    require(unread_.empty());
    offered_ = Event::more;
    continue_due_ = !due;
    if (due) take_interim();
    require(out_.empty());
  }

  // How answers are given: whole, or written where they are sent from, some of them dropped first.
  enum class By : uint8_t { whole, draft };

  // Answers the `nth` of those that were taken and have no answer yet.
  void answer(size_t nth, By by = By::whole) {
    const auto open = static_cast<size_t>(std::ranges::count(given_, false));
    if (open == 0) return;
    nth %= open;
    size_t number = 0;
    while (given_[number] || nth-- != 0) ++number;
    given_[number] = true;
    give(number, by);
    while (written_ != taken_.size() && given_[written_]) take_answer();
    if (continue_due_ && !closed() && written_ == taken_.size()) {
      continue_due_ = false;
      take_interim();
    }
    require(out_.empty());
    read_again();
    require(connection_.unanswered() == taken_.size() - written_);
    const bool kept = std::find(given_.begin() + static_cast<std::ptrdiff_t>(written_),
                                given_.end(), true) != given_.end();
    require((connection_.kept_bytes() != 0) == kept);
  }

  void give(size_t nth, By by) {
    const std::string text = number_text(nth), fields = "X-Number: " + text + "\r\n";
    const auto number = static_cast<uint32_t>(nth);
    const bool due = nth == written_;
    if (by == By::draft) {
      const size_t expected = nth % 4 * nth * 40;  // none, too few or too many digits of a length
      if (nth % 3 == 1) {
        const auto draft = connection_.begin_answer(number, {.fields = fields}, expected, {}, out_);
        draft.out->append("what is dropped");
        connection_.drop_answer(draft);
        require(out_.empty());
      }
      const auto draft = connection_.begin_answer(number, {.fields = fields}, expected, {}, out_);
      draft.out->append(text);
      require(draft.body() == text);
      require(connection_.end_answer(draft, {}, out_) == due);
    } else {
      require(connection_.answer(number, {.body = text, .fields = fields}, {}, out_) == due);
    }
    require(due || out_.empty());
  }

  void drain() {
    connection_.drain();
    draining_ = true;
  }
  void close() {
    connection_.close();
    offered_ = Event::closed;
    read_again();
  }
  void expire() {
    const Stage stage = connection_.stage();
    if (stage != Stage::head && stage != Stage::body) return;
    require(!offers());
    late_head_ = stage == Stage::head ? begins_with_head(unread_) : next().head;
    late_ = true;
    connection_.expire();
    hear({});
    require(offered_ == Event::refusal);
  }

  // Takes all that has come, bodies too; answers it at once, or leaves that.
  void serve(std::string_view bytes, bool answers, By by = By::whole) {
    hear(bytes);
    while (offers()) {
      if (waits()) {
        accept_body();
      } else {
        take();
        if (answers) answer(0, by);
      }
      hear({});
    }
  }
  void answer_all(size_t nth, By by = By::whole) {
    while (written_ != taken_.size()) answer(nth, by);
  }

  // Every answer's bytes, the interim ones left out: when these are due depends on what has come.
  const std::string& answers() const { return answers_; }
  size_t taken() const { return taken_.size(); }

 private:
  const Asked& next() const {
    require(taken_.size() < asked_.size());
    return asked_[taken_.size()];
  }
  // What was taken is there until the next call of next().
  void read_again() const {
    if (in_use_) require(text_of(connection_.request()) == taken_.back().text);
  }
  void drop_consumed() {
    const size_t consumed = connection_.consumed();
    require(consumed <= unread_.size());
    unread_.erase(0, consumed);
    consumed_ += consumed;
  }
  void take_interim() {
    std::string_view all = out_.view();
    require(take_response(all, false).status == 100);
    out_.consume(out_.size() - all.size());
  }
  void take_answer() {
    const Asked& asked = taken_[written_];
    std::string_view all = out_.view();
    const Response response = take_response(all, asked.head);
    require(response.status == 200);
    require(response.content == (asked.head ? "" : number_text(written_)));
    ++written_;
    const bool last = closed() && written_ == taken_.size();
    require(response.connection == (last ? "close" : asked.http_1_0 ? "keep-alive" : ""));
    answers_ += out_.view().substr(0, out_.size() - all.size());
    out_.consume(out_.size() - all.size());
  }

  const std::vector<Asked>& asked_;
  ServerConnection connection_;
  const bool keeps_;
  std::optional<tests::Guarded> input_;
  std::string unread_, answers_;
  proto::wire::Buffer out_;
  size_t consumed_ = 0, written_ = 0;
  std::vector<Asked> taken_;
  std::vector<bool> given_;  // an answer, to each of these
  Event offered_ = Event::more;
  bool in_use_ = false, continue_due_ = false, draining_ = false, late_ = false, late_head_ = false;
};

// Everything that is asked is taken, and every body. What is left is answered backwards.
std::string talk(std::string_view sent, const std::vector<Asked>& asked, size_t piece, bool answers,
                 Peer::By by) {
  RequestParser parser(limits);
  Peer peer(parser, asked, piece % 2 == 0);
  for (size_t at = 0; at < sent.size(); at += piece)
    peer.serve(sent.substr(at, piece), answers, by);
  require(peer.taken() == asked.size() - (!asked.empty() && !asked.back().whole ? 1 : 0));
  peer.answer_all(peer.taken(), by);
  return peer.answers();
}

void talk_with_two(std::string_view sent, const std::vector<Asked>& asked, size_t piece,
                   const std::string& expected) {
  RequestParser shared(limits);
  Peer one(shared, asked), other(shared, asked);
  size_t ahead = 0, behind = 0;
  while (behind < sent.size()) {
    if (ahead < sent.size()) one.serve(sent.substr(ahead, 2 * piece), true);
    ahead += 2 * piece;
    other.serve(sent.substr(behind, piece), true);
    behind += piece;
  }
  require(one.answers() == expected && other.answers() == expected);
}

// Does as the script says, at its pace.
void play(std::string_view sent, const std::vector<Asked>& asked, std::string_view script) {
  RequestParser parser(limits);
  Peer peer(parser, asked);
  const auto arrive = [&sent](size_t length) {
    const std::string_view bytes = sent.substr(0, length);
    sent.remove_prefix(bytes.size());
    return bytes;
  };
  for (const char step : script) {
    const auto amount = static_cast<size_t>(static_cast<uint8_t>(step) >> 3);
    switch (step & 7) {
      case 0:
        peer.hear(arrive(amount + 1));
        break;
      case 1:
        peer.hear(arrive(16 * amount));
        break;
      case 2:
        if (peer.offers()) peer.take();
        break;
      case 3:
        if (peer.waits()) peer.accept_body();
        break;
      case 4:
        peer.answer(amount & 15, (amount & 16) != 0 ? Peer::By::draft : Peer::By::whole);
        break;
      case 5:
        if (amount == 0) peer.close();
        if (amount == 1) peer.drain();
        if (amount == 2) peer.expire();
        break;
      default:
        peer.serve(arrive(8 * amount), (step & 1) != 0);
        break;
    }
  }
  peer.serve(sent, true);
  if (script.size() % 2 != 0) peer.close();
  peer.answer_all(script.size());
}

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost;
  if (size < 2 || size > 4096) return 0;
  const size_t piece = 1 + data[0] % 64;
  std::string_view sent(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string_view script = sent.substr(0, data[1]);
  sent.remove_prefix(script.size());

  const std::vector<Asked> asked = read(sent);
  const std::string answers = talk(sent, asked, sent.size() + 1, true, Peer::By::whole);
  require(talk(sent, asked, piece, true, Peer::By::draft) == answers);
  require(talk(sent, asked, piece, false, Peer::By::whole) == answers);
  require(talk(sent, asked, piece, false, Peer::By::draft) == answers);
  require(talk(sent, asked, 1, true, Peer::By::whole) == answers);
  talk_with_two(sent, asked, piece, answers);
  play(sent, asked, script);
  return 0;
}
