// Invariant: of any bytes, ringpost and llhttp take the same messages: method, target, fields,
// body, end, and whether the connection goes on. Where they differ it is in one of the ways below,
// each of which is explained in docs/http.md, and shows in what was read.
//
//     pipelined requests, read one after another up to the first that one of both does not take
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "proto/http/characters.h"
#include "tests/fuzz/llhttp_message.h"

namespace ringpost {
namespace {

using fuzz::Message;
using Is = Message::Is;
using proto::http::equals_ignoring_case;

size_t count(const Message& message, std::string_view lower_case_name) {
  return static_cast<size_t>(std::ranges::count_if(message.fields, [&](const auto& field) {
    return equals_ignoring_case(field.first, lower_case_name);
  }));
}
bool has_only(const Message& message, std::string_view lower_case_name,
              std::string_view lower_case_value) {
  return std::ranges::all_of(message.fields, [&](const auto& field) {
    return !equals_ignoring_case(field.first, lower_case_name) ||
           equals_ignoring_case(field.second, lower_case_value);
  });
}
bool has(const Message& message, std::string_view lower_case_name) {
  return count(message, lower_case_name) != 0;
}

bool is_plain_path(std::string_view target) {
  return target.starts_with('/') &&
         std::ranges::all_of(target, [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
}
// Letters, digits, hyphens and dots, and a port or none.
bool is_plain_host(std::string_view host) {
  const auto plain = [](char c) { return proto::http::is_tchar(c) && std::isalnum(c) != 0; };
  const size_t colon = std::min(host.find(':'), host.size());
  const std::string_view name = host.substr(0, colon), port = host.substr(colon);
  return !name.empty() &&
         std::ranges::all_of(name, [&](char c) { return plain(c) || c == '-' || c == '.'; }) &&
         (port.empty() || std::ranges::all_of(port.substr(1), proto::http::is_digit));
}

struct Pair {
  std::string_view input;
  const Message &ours, &theirs;
};

std::string_view behind_head(const Pair& pair) {
  return pair.input.substr(std::min(pair.input.find("\r\n\r\n"), pair.input.size()));
}

std::string_view request_line(const Pair& pair) {
  const std::string_view lines =
      pair.input.substr(std::min(pair.input.find_first_not_of("\r\n"), pair.input.size()));
  return lines.substr(0, lines.find_first_of("\r\n"));
}

// A way to differ: what it is called in docs/http.md, and whether this is it.
struct Difference {
  const char* name;
  bool (*is)(const Pair&);
};

// Refused by ringpost, taken by llhttp: what llhttp read has to show why.
constexpr Difference stricter[] = {
    {"line ends before a request",
     [](const Pair& pair) { return pair.input[0] == '\r' || pair.input[0] == '\n'; }},
    {"HTTP/0.9 and HTTP/2.0", [](const Pair& pair) { return pair.theirs.major != 1; }},
    {"RTSP and ICE",
     [](const Pair& pair) {
       return request_line(pair).contains(" RTSP/") || request_line(pair).contains(" ICE/");
     }},
    {"targets of other forms",
     [](const Pair& pair) {
       return (pair.ours.reason.contains("target")) && !is_plain_path(pair.theirs.target);
     }},
    {"blanks in a row in a request line",
     [](const Pair& pair) {
       return (pair.ours.reason.contains("blank") || pair.ours.reason.contains("target")) &&
              request_line(pair).contains("  ");
     }},
    {"CONNECT", [](const Pair& pair) { return pair.theirs.method == "CONNECT"; }},
    {"Host",
     [](const Pair& pair) {
       if (!pair.ours.reason.contains("Host")) return false;
       const size_t hosts = count(pair.theirs, "host");
       if (hosts != 1) return hosts > 1 || pair.theirs.minor != 0;
       return !std::ranges::all_of(pair.theirs.fields, [](const auto& field) {
         return !equals_ignoring_case(field.first, "host") || is_plain_host(field.second);
       });
     }},
    {"expectations",
     [](const Pair& pair) {
       return pair.ours.reason.contains("expectation") &&
              !has_only(pair.theirs, "expect", "100-continue");
     }},
    {"transfer codings",
     [](const Pair& pair) {
       return has(pair.theirs, "transfer-encoding") &&
              (pair.theirs.minor == 0 || count(pair.theirs, "transfer-encoding") > 1 ||
               !has_only(pair.theirs, "transfer-encoding", "chunked"));
     }},
    {"chunk sizes of more than 16 digits",
     [](const Pair& pair) {
       return pair.theirs.chunked && pair.ours.reason.contains("too many digits");
     }},
    {"chunk extensions",
     [](const Pair& pair) {
       return pair.theirs.chunked && pair.ours.reason.contains("chunk extension") &&
              pair.input.contains(';');
     }},
};

// Taken by ringpost, refused by llhttp.
constexpr Difference more_lenient[] = {
    {"methods",
     [](const Pair& pair) {
       constexpr std::string_view common[] = {"GET",    "HEAD",    "POST",    "PUT",  "PATCH",
                                              "DELETE", "OPTIONS", "CONNECT", "TRACE"};
       return std::ranges::find(common, pair.ours.method) == std::end(common) &&
              (pair.ours.method == "PRI" || pair.theirs.error == HPE_INVALID_METHOD ||
               pair.theirs.error == HPE_INVALID_CONSTANT ||
               pair.theirs.error == HPE_INVALID_VERSION);
     }},
    {"versions",
     [](const Pair& pair) {
       return pair.theirs.error == HPE_INVALID_VERSION &&
              !request_line(pair).ends_with("HTTP/1.1") &&
              !request_line(pair).ends_with("HTTP/1.0");
     }},
    {"blanks around chunk extensions",
     [](const Pair& pair) {
       return pair.ours.chunked &&
              (pair.theirs.error == HPE_INVALID_CHUNK_SIZE || pair.theirs.error == HPE_STRICT) &&
              behind_head(pair).find_first_of(" \t") != std::string_view::npos;
     }},
    {"trailers that are fields of framing",
     [](const Pair& pair) {
       return pair.ours.chunked && pair.theirs.body == pair.ours.body &&
              (pair.theirs.error == HPE_INVALID_CONTENT_LENGTH ||
               pair.theirs.error == HPE_UNEXPECTED_CONTENT_LENGTH ||
               pair.theirs.error == HPE_INVALID_TRANSFER_ENCODING);
     }},
    {"tabs around Content-Length",
     [](const Pair& pair) {
       return pair.theirs.error == HPE_INVALID_CONTENT_LENGTH && has(pair.ours, "content-length") &&
              pair.input.contains('\t');
     }},
};

// Taken by both, and read differently.
constexpr Difference read_otherwise[] = {
    {"Proxy-Connection", [](const Pair& pair) { return has(pair.ours, "proxy-connection"); }},
    {"tabs around options of Connection",
     [](const Pair& pair) { return has(pair.ours, "connection") && pair.input.contains('\t'); }},
    {"close in HTTP/1.0",
     [](const Pair& pair) {
       return pair.ours.minor == 0 && !pair.ours.keep_alive && has(pair.ours, "connection");
     }},
};

const char* name_of(Is is) {
  return is == Is::taken ? "taken" : is == Is::refused ? "refused" : "partial";
}
void print(const char* who, const Message& message) {
  std::fprintf(
      stderr, "%s: %s, \"%s\" \"%s\" HTTP/%d.%d, %zu fields, body \"%s\", end %zu, %s; %.*s %s\n",
      who, name_of(message.is), message.method.c_str(), message.target.c_str(), message.major,
      message.minor, message.fields.size(), message.body.c_str(), message.end,
      message.keep_alive ? "goes on" : "ends", static_cast<int>(message.reason.size()),
      message.reason.data(), llhttp_errno_name(message.error));
}

template <size_t n>
bool is_known(const Pair& pair, const Difference (&ways)[n]) {
  return std::ranges::any_of(ways, [&pair](const Difference& way) { return way.is(pair); });
}
[[noreturn]] void fail(const Pair& pair) {
  print("ringpost", pair.ours);
  print("llhttp", pair.theirs);
  std::abort();
}

// Whether both took it, alike.
bool compare(const Pair& pair) {
  const auto& [input, ours, theirs] = pair;
  if (ours.is == Is::taken && theirs.is == Is::taken) {
    if (ours.method != theirs.method || ours.target != theirs.target ||
        ours.fields != theirs.fields || ours.body != theirs.body || ours.end != theirs.end)
      fail(pair);
    if (ours.keep_alive != theirs.keep_alive && !is_known(pair, read_otherwise)) fail(pair);
    return true;
  }
  // What one refuses at once the other may refuse when more has come.
  if (ours.is == theirs.is || (ours.is != Is::taken && theirs.is != Is::taken)) return false;
  if (ours.is == Is::taken ? !is_known(pair, more_lenient) : !is_known(pair, stricter)) fail(pair);
  return false;
}

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost;
  if (size > 4096) return 0;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  while (!input.empty()) {
    const Message ours = fuzz::read_by_ringpost(input), theirs = fuzz::read_by_llhttp(input);
    if (!compare({input, ours, theirs}) || !ours.keep_alive) break;
    input.remove_prefix(ours.end);
  }
  return 0;
}
