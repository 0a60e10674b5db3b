#include "proto/json/writer.h"

namespace ringpost::proto::json {

// Makes room piece by piece, so that a long text does not ask for six times its length.
char* Writer::put_escaped(char* at, std::string_view text, size_t behind) {
  constexpr size_t piece = 512;
  at_ = at;
  while (!text.empty()) {
    const size_t length = std::min(text.size(), piece);
    reserve(escape_room(length));
    at_ = escape(at_, text.substr(0, length));
    text.remove_prefix(length);
  }
  reserve(behind + 1);  // and the closing quotation mark
  return at_;
}

void Writer::make_room(size_t length) {
  commit();
  take_room(length);
}

}  // namespace ringpost::proto::json
