// Invariant: however a body is cut into pieces, the decoder hands on the same content, takes the
// same bytes and gives the same answer; the content keeps to its limit, and written out anew as
// chunks it is decoded to itself.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "proto/http/chunked.h"
#include "tests/support/guarded.h"

namespace ringpost {
namespace {

using proto::http::ChunkedDecoder;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr uint64_t most_body_bytes = 1024;

struct Answer {
  std::string content, error;
  size_t consumed = 0;
  bool done = false;
  bool operator==(const Answer&) const = default;
};

Answer decode(std::string_view input, size_t step) {
  Answer answer;
  ChunkedDecoder decoder(most_body_bytes);
  while (answer.consumed < input.size() && !decoder.done() && !decoder.failed()) {
    const tests::Guarded bytes(input.substr(answer.consumed, step));
    const ChunkedDecoder::Piece piece = decoder.feed(bytes.view());
    require(piece.consumed > 0 && piece.consumed <= bytes.view().size());
    require(piece.content.empty() ||
            piece.content.data() + piece.content.size() == bytes.view().data() + piece.consumed);
    answer.content.append(piece.content);
    answer.consumed += piece.consumed;
  }
  answer.done = decoder.done();
  if (decoder.failed())
    answer.error =
        std::to_string(static_cast<int>(decoder.refusal().status)).append(decoder.refusal().reason);
  require(answer.content.size() <= most_body_bytes);
  return answer;
}

// A chunk for each 7 bytes.
std::string encoded(std::string_view content) {
  std::string body;
  for (; !content.empty(); content.remove_prefix(std::min<size_t>(7, content.size()))) {
    const std::string_view chunk = content.substr(0, 7);
    body.append(std::to_string(chunk.size())).append("\r\n").append(chunk).append("\r\n");
  }
  return body.append("0\r\n\r\n");
}

void check(std::string_view input) {
  const Answer expected = decode(input, input.size());
  for (const size_t step : {1uz, 2uz, 7uz, 33uz}) require(decode(input, step) == expected);

  // In two pieces, cut at each of the first places.
  for (size_t cut = 1; cut < std::min<size_t>(input.size(), 128); ++cut) {
    ChunkedDecoder decoder(most_body_bytes);
    const tests::Guarded front(input.substr(0, cut)), back(input.substr(cut));
    size_t consumed = decoder.skip(front.view());
    if (consumed == cut) consumed += decoder.skip(back.view());
    require(consumed == expected.consumed && decoder.done() == expected.done);
    require(decoder.failed() == !expected.error.empty());
  }

  ChunkedDecoder skipping(most_body_bytes);
  require(skipping.skip(input) == expected.consumed && skipping.done() == expected.done);

  const std::string again = encoded(expected.content);
  const Answer second = decode(again, again.size());
  require(second.done && second.content == expected.content && second.consumed == again.size());
}

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ringpost::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
