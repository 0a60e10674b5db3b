// Invariant: whatever comes, and however it is cut, the same is said about it; each query that is
// wanted is told once, in its order, one that is forgotten never; what was skipped stands behind a
// failure of its group; all views lie inside of what was given; and no more is kept than the limit
// and a short message.
//
//     query count (1 byte)  queries (1 byte each: Expect, and 4 when forgotten, 8 when its Sync
//     is shared, 16 when it ends its group)  pieces (1 byte)
//     what the server sends
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "proto/pg/pipeline.h"
#include "tests/support/pg_messages.h"

namespace ringpost {
namespace {

using namespace proto::pg;
using Event = Pipeline::Event;

constexpr size_t answer_limit = 256;
constexpr uint8_t forgotten = 4, shared = 8, ends_group = 16;

void require(bool holds) {
  if (!holds) std::abort();
}

bool inside(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

class Listener {
 public:
  explicit Listener(const std::vector<uint8_t>& queries)
      : queries_(queries), pipeline_(64, answer_limit) {
    proto::wire::Buffer out;
    size_t syncs = 0;
    for (const uint8_t& query : queries) {
      const bool shares = (query & shared) != 0;
      if (!shares && pipeline_.group_size() != 0) ++syncs, pipeline_.seal(out);
      const uint64_t number = pipeline_.push(out, static_cast<Pipeline::Expect>(query & 3),
                                             const_cast<uint8_t*>(&query),
                                             shares ? Pipeline::Sync::shared : Pipeline::Sync::own);
      if (!shares || (query & ends_group) != 0) ++syncs, pipeline_.seal(out);
      if ((query & forgotten) != 0) pipeline_.forget(number);
    }
    if (pipeline_.group_size() != 0) ++syncs, pipeline_.seal(out);
    require(out.size() == 5 * syncs);
  }

  void hear(std::string_view piece) {
    kept_ += piece;
    while (!over_) {
      const tests::Exact input(kept_);
      const Event event = pipeline_.next(input.view());
      require(pipeline_.consumed() <= input.view().size());
      if (event == Event::answer || event == Event::too_large || event == Event::skipped)
        note_told(input.view());
      if (event == Event::asynchronous || event == Event::fatal) {
        require(inside(pipeline_.message().body, input.view()));
        log_ += static_cast<char>(pipeline_.message().type);
        log_ += pipeline_.message().body;
      }
      kept_.erase(0, pipeline_.consumed());
      if (event == Event::more) break;
      log_ += static_cast<char>('0' + static_cast<int>(event));
      over_ = event == Event::fatal || event == Event::violation;
    }
    // A CommandComplete, the longest of what is short, may stand behind what is kept.
    require(over_ || kept_.size() <= answer_limit + 1 + 1024);
  }

  // Everything that was said, and what is left.
  std::string log() {
    std::string said = log_;
    while (!pipeline_.empty())
      said += pipeline_.pop_unanswered() == nullptr ? "forgotten" : "unanswered";
    return said;
  }

 private:
  void note_told(std::string_view input) {
    const Pipeline::Answer& answer = pipeline_.answer();
    const auto* query = static_cast<const uint8_t*>(answer.owner);
    require(query >= queries_.data() + next_ && query < queries_.data() + queries_.size());
    require((*query & forgotten) == 0);
    for (const uint8_t* skipped = queries_.data() + next_; skipped < query; ++skipped)
      require((*skipped & forgotten) != 0);
    next_ = static_cast<size_t>(query - queries_.data()) + 1;
    require(answer.expect == static_cast<Pipeline::Expect>(*query & 3));
    for (const std::string_view part : {answer.error, answer.parameter_description,
                                        answer.row_description, answer.rows, answer.command_tag}) {
      require(inside(part, input));
      log_ += std::to_string(part.size());
      log_ += part;
    }
  }

  const std::vector<uint8_t>& queries_;
  Pipeline pipeline_;
  std::string kept_, log_;
  size_t next_ = 0;
  bool over_ = false;
};

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost;
  if (size < 2 || size > 4096) return 0;
  const size_t count = std::min<size_t>(data[0] % 64, size - 2);
  std::vector<uint8_t> queries;
  for (size_t i = 1; i <= count; ++i) {
    const uint8_t expect = data[i] & 3;
    const auto kind = static_cast<uint8_t>(expect == 3 ? 0 : expect);
    const auto bits = static_cast<uint8_t>(data[i] & (forgotten | ends_group));
    const bool shares =
        kind == static_cast<uint8_t>(Pipeline::Expect::execute) && (data[i] & shared);
    queries.push_back(static_cast<uint8_t>(kind | bits | (shares ? shared : 0)));
  }
  const size_t piece = 1 + data[count + 1] % 64;
  const std::string_view sent(reinterpret_cast<const char*>(data) + count + 2, size - count - 2);

  Listener whole(queries);
  whole.hear(sent);
  Listener pieces(queries);
  for (size_t at = 0; at < sent.size(); at += piece) pieces.hear(sent.substr(at, piece));
  require(whole.log() == pieces.log());
  return 0;
}
