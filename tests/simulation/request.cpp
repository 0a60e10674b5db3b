#include "tests/simulation/request.h"

#include <cstdio>
#include <string_view>
#include <utility>

namespace ringpost::simulation {

namespace {

constexpr std::string_view ok = R"({"status":"ok"})", not_found = R"({"error":"not_found"})",
                           not_allowed = R"({"error":"method_not_allowed"})";

struct Known {
  const char* target;
  int status;
  const char* body;
};
constexpr Known fixed[] = {
    {"/healthz", 200, ok.data()},
    {"/health", 404, not_found.data()},
    {"/", 404, not_found.data()},
    {"/users/", 404, not_found.data()},
    {"/users/1/2", 404, not_found.data()},
    {"/users/123", 400, R"({"error":"invalid_id"})"},
    {"/users/zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz", 400, R"({"error":"invalid_id"})"},
    {"/users?limit=0", 400, R"({"error":"invalid_limit"})"},
    {"/users?limit=201", 400, R"({"error":"invalid_limit"})"},
    {"/users?limit=5&limit=6", 400, R"({"error":"invalid_limit"})"},
    {"/users?limit=+5", 400, R"({"error":"invalid_limit"})"},
    {"/users?offset=-1", 400, R"({"error":"invalid_offset"})"},
    {"/users?offset=9223372036854775808", 400, R"({"error":"invalid_offset"})"},
    {"/users?limit=%zz", 400, R"({"error":"invalid_escape"})"},
    {"/%e", 400, R"({"error":"invalid_escape"})"},
    {"/health%7a", 200, ok.data()},
};

// What is no request, or one that is not taken, whole.
constexpr std::string_view wrong[] = {
    "GET /healthz HTTP/1.1\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n",
    "\x16\x03\x01\x02garbage\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 4\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;=\"\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n",
    "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: \r\n\r\n",
};

std::string fields(Random& random) {
  std::string text = "Host: example.com\r\n";
  for (size_t i = random.below(4); i > 0; --i)
    text += "X-Field-" + std::to_string(i) + ": " +
            std::string(static_cast<size_t>(random.skewed(400)), 'x') + "\r\n";
  return text;
}

std::string chunked(Random& random, size_t size) {
  std::string body;
  while (size > 0) {
    const size_t piece = 1 + random.below(size);
    char digits[24];
    const int length = std::snprintf(digits, sizeof digits, "%zx", piece);
    body.append(digits, static_cast<size_t>(length));
    if (random.chance(200'000)) body += ";name=\"va;lue\"";
    body += "\r\n" + std::string(piece, 'c') + "\r\n";
    size -= piece;
  }
  body += "0\r\n";
  if (random.chance(200'000)) body += "Trailer: x\r\n";
  return body + "\r\n";
}

// What is asked, and the answer to GET.
void choose_target(Random& random, const Table& table, Request& request, std::string& target) {
  const size_t kind = random.below(10);
  if (kind < 4) {
    const Table::User& user = table.user(random.below(table.size()));
    target = "/users/" + user.id;
    request.body = user.json;
    request.asks_database = true;
  } else if (kind == 4) {
    target = "/users/00000000-0000-4000-8000-00000000000" + std::to_string(random.below(10));
    request.status = 404;
    request.body = not_found;
    request.asks_database = true;
  } else if (kind < 7) {
    const int64_t limit = random.chance(300'000) ? 200 : random.between(1, 60);
    const int64_t offset = random.between(0, static_cast<int64_t>(table.size()) + 5);
    target = "/users?limit=" + std::to_string(limit) + "&offset=" + std::to_string(offset);
    request.body = table.page_json(limit, offset);
    request.asks_database = true;
  } else if (kind == 7) {
    target = "/readyz";
    request.body = ok;
    request.asks_database = request.asks_readiness = true;
  } else {
    const Known& known = fixed[random.below(std::size(fixed))];
    target = known.target;
    request.status = known.status;
    request.body = known.body;
  }
}

}  // namespace

Request ask_user(const Table& table, size_t index) {
  Request request;
  request.bytes = "GET /users/" + table.user(index).id + " HTTP/1.1\r\nHost: a\r\n\r\n";
  request.head_size = request.bytes.size();
  request.body = table.user(index).json;
  request.asks_database = true;
  return request;
}

Request ask_page(const Table& table, int64_t limit, int64_t offset) {
  Request request;
  request.bytes = "GET /users?limit=" + std::to_string(limit) +
                  "&offset=" + std::to_string(offset) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  request.head_size = request.bytes.size();
  request.body = table.page_json(limit, offset);
  request.asks_database = true;
  return request;
}

Request make_request(Random& random, const Faults& faults, const Table& table) {
  Request request;
  if (random.chance(faults.rate(Fault::bad_requests))) {
    request.bytes = wrong[random.below(std::size(wrong))];
    // What is wrong may be the body alone: a client that stalls before it is waited for.
    const size_t head_end = request.bytes.find("\r\n\r\n");
    request.head_size = head_end == std::string::npos ? request.bytes.size() : head_end + 4;
    request.status = 0;
    request.ends = true;
    return request;
  }
  std::string target, method = "GET", rest, body;
  choose_target(random, table, request, target);
  const size_t kind = random.below(20);
  bool old = false;
  if (kind < 3) {
    method = "HEAD";
    request.head_only = true;
  } else if (kind == 3) {
    old = true;
    request.ends = random.chance(500'000);
    rest = request.ends ? "" : "Connection: keep-alive\r\n";
  } else if (kind == 4) {
    request.ends = true;
    rest = "Connection: close\r\n";
  } else if (kind < 8) {
    if (random.chance(400'000)) method = random.chance(500'000) ? "POST" : "DELETE";
    const auto size = static_cast<size_t>(random.skewed(20'000));
    if (random.chance(500'000)) {
      rest = "Content-Length: " + std::to_string(size) + "\r\n";
      body = std::string(size, 'b');
    } else {
      rest = "Transfer-Encoding: chunked\r\n";
      body = chunked(random, size);
    }
    if (!body.empty() && random.chance(300'000)) {
      rest += "Expect: 100-continue\r\n";
      request.expects = true;
    }
  }
  if (method != "GET" && method != "HEAD") {
    request.asks_database = request.asks_readiness = false;
    const bool known = target.starts_with("/users?") || target.starts_with("/healthz") ||
                       target.starts_with("/readyz") || target == "/health%7a" ||
                       (target.starts_with("/users/") && target.size() > 7 &&
                        target.find('/', 7) == std::string::npos);
    if (target.find("%zz") == std::string::npos && target != "/%e") {
      request.status = known ? 405 : 404;
      request.body = known ? not_allowed : not_found;
    }
  }
  // Known without the body: who waits for 100 gets the final answer at once.
  const bool refused = request.status == 405 || request.body == not_found ||
                       request.body == R"({"error":"invalid_escape"})";
  if (request.expects && refused && !request.asks_database) request.no_continue = true;
  request.bytes = method + " " + target + (old ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n") +
                  fields(random) + rest + "\r\n";
  request.head_size = request.bytes.size();
  request.bytes += body;
  return request;
}

}  // namespace ringpost::simulation
