#include "src/http/access_log.h"

#include <algorithm>
#include <utility>

#include "proto/http/trace_context.h"
#include "src/io/address.h"

namespace ringpost::http {

namespace {
constexpr std::string_view nothing = "-";
constexpr size_t most_id_bytes = 128;
constexpr unsigned first_error = 500;
}  // namespace

bool is_request_id(std::string_view value) {
  return !value.empty() && value.size() <= most_id_bytes &&
         std::all_of(value.begin(), value.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("._:+/=@-").contains(c);
         });
}

AccessTrail::AccessTrail(AccessLog& log, int fd) : log_(log), peer_(io::peer_of(fd).host()) {}

void AccessTrail::taken(uint32_t number, const proto::http::Request* request) {
  if (log_.off()) return;
  if (open_ == notes_.size()) notes_.emplace_back();
  Note& note = notes_[open_++];
  note.number = number;
  note.sampled = log_.sample();
  note.request_id.clear();
  note.trace_id.clear();
  if (request == nullptr) {
    note.method = nothing;
    note.path = nothing;
    return;
  }
  note.method = request->method;
  const std::string_view path = request->target.substr(0, request->target.find('?'));
  note.path = path.substr(0, AccessLog::most_path_bytes);
  if (note.path.size() < path.size()) note.path += "...";
  if (const auto id = request->find("x-request-id"); id && is_request_id(*id))
    note.request_id = *id;
  if (const auto parent = request->find("traceparent"))
    if (const auto context = proto::http::parse_traceparent(*parent))
      note.trace_id = context->trace_id;
}

void AccessTrail::answered(uint32_t number, proto::http::Status status, uint64_t body_bytes,
                           io::Duration took) {
  const auto end = notes_.begin() + static_cast<ptrdiff_t>(open_);
  const auto note = std::find_if(notes_.begin(), end,
                                 [number](const Note& each) { return each.number == number; });
  if (note == end) return;
  if (note->sampled || static_cast<unsigned>(status) >= first_error)
    log_.write({.method = note->method,
                .path = note->path,
                .peer = peer_,
                .request_id = note->request_id,
                .trace_id = note->trace_id,
                .status = status,
                .bytes = body_bytes,
                .took = took});
  std::swap(*note, notes_[--open_]);
}

}  // namespace ringpost::http
