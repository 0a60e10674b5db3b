// Request heads: ours, picohttpparser, httparse, http_parser (its callbacks noting every name and
// value) and Boost.Beast (eager), given the same bytes. Each hands out method, target and fields as
// views or copies of its own; the time includes walking over them. All must have read the same
// before any is timed. Ours checks more than the others: see README.md.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "proto/http/request_parser.h"

#ifdef HAVE_HTTP_PARSER
#include <http_parser.h>
#endif
#ifdef HAVE_BOOST_BEAST
#include <boost/beast/http.hpp>
#endif

namespace {

namespace http = ringpost::proto::http;

struct Input {
  const char* name;
  std::string head;
  size_t fields;
};

std::string fields(int count, std::string_view name, size_t value_bytes) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text.append(name)
        .append(std::to_string(100 + i))
        .append(": ")
        .append(value_bytes, 'v')
        .append("\r\n");
  return text;
}

const std::vector<Input> inputs{
    {"minimal", "GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 1},
    {"short",
     "GET /users/123e4567-e89b-12d3-a456-426614174000 HTTP/1.1\r\n"
     "Host: localhost:8080\r\n"
     "\r\n",
     1},
    {"browser",
     "GET /users?limit=50&offset=100 HTTP/1.1\r\n"
     "Host: users.example.com\r\n"
     "Connection: keep-alive\r\n"
     "Cache-Control: max-age=0\r\n"
     "sec-ch-ua: \"Chromium\";v=\"130\", \"Google Chrome\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n"
     "sec-ch-ua-mobile: ?0\r\n"
     "sec-ch-ua-platform: \"Linux\"\r\n"
     "Upgrade-Insecure-Requests: 1\r\n"
     "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
     "Chrome/130.0.0.0 Safari/537.36\r\n"
     "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
     "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n"
     "Sec-Fetch-Site: none\r\n"
     "Sec-Fetch-Mode: navigate\r\n"
     "Sec-Fetch-User: ?1\r\n"
     "Sec-Fetch-Dest: document\r\n"
     "Accept-Encoding: gzip, deflate, br, zstd\r\n"
     "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
     "Cookie: session=7b1e62f0c4a94d0f8a0c5be0d6a6b1d2; theme=dark\r\n"
     "\r\n",
     16},
    // Close to the limits: of fields, then of bytes too.
    {"many_fields", "GET / HTTP/1.1\r\nHost: a\r\n" + fields(99, "X-", 1) + "\r\n", 100},
    {"long_values", "GET / HTTP/1.1\r\nHost: a\r\n" + fields(99, "X-Forwarded-", 145) + "\r\n",
     100},
};

// What a parser has read, as the benches compare it.
struct Seen {
  std::string method, target;
  std::vector<std::pair<std::string, std::string>> fields;
  bool operator==(const Seen&) const = default;
};

// A field is walked over by itself, as by who looks for one: not several at once by vectors.
void add_sizes(size_t& bytes, size_t name_bytes, size_t value_bytes) {
  bytes += name_bytes + value_bytes;
  asm("" : "+r"(bytes));
}

// Each contender: read() parses one head and returns how many bytes its fields' names and values
// have in all, 0 when it fails; seen() is what it read the last time.

class Ours {
 public:
  explicit Ours(http::Instructions instructions = http::best_instructions())
      : parser_({}, instructions) {}

  size_t read(std::string_view head) {
    parser_.reset();
    if (parser_.parse(head) != ringpost::proto::wire::Parse::complete) return 0;
    size_t bytes = 0;
    for (const http::Header header : parser_.request().headers)
      add_sizes(bytes, header.name.size(), header.value.size());
    return bytes;
  }
  Seen seen() const {
    const http::Request& request = parser_.request();
    Seen seen{std::string(request.method), std::string(request.target), {}};
    for (const http::Header header : request.headers)
      seen.fields.emplace_back(header.name, header.value);
    return seen;
  }

 private:
  http::RequestParser parser_;
};

// As on machines that lack what the best is made of.
struct OursBySse2 : Ours {
  OursBySse2() : Ours(http::Instructions::sse2) {}
};
struct OursPortable : Ours {
  OursPortable() : Ours(http::Instructions::portable) {}
};

#ifdef HAVE_PICOHTTPPARSER
extern "C" {
// picohttpparser.h
struct phr_header {
  const char* name;
  size_t name_len;
  const char* value;
  size_t value_len;
};
int phr_parse_request(const char* head, size_t size, const char** method, size_t* method_len,
                      const char** path, size_t* path_len, int* minor_version, phr_header* headers,
                      size_t* num_headers, size_t last_len);
// rivals/src/lib.rs
size_t rival_httparse(const char* head, size_t size,
                      void (*visit)(void* context, const char* at, size_t size), void* context);
}

class PicoHttpParser {
 public:
  size_t read(std::string_view head) {
    count_ = fields_.size();
    int minor_version = 0;
    if (phr_parse_request(head.data(), head.size(), &method_, &method_bytes_, &target_,
                          &target_bytes_, &minor_version, fields_.data(), &count_, 0) <= 0)
      return 0;
    size_t bytes = 0;
    for (size_t i = 0; i < count_; ++i) add_sizes(bytes, fields_[i].name_len, fields_[i].value_len);
    return bytes;
  }
  Seen seen() const {
    Seen seen{{method_, method_bytes_}, {target_, target_bytes_}, {}};
    for (size_t i = 0; i < count_; ++i)
      seen.fields.emplace_back(std::string(fields_[i].name, fields_[i].name_len),
                               std::string(fields_[i].value, fields_[i].value_len));
    return seen;
  }

 private:
  const char *method_ = nullptr, *target_ = nullptr;
  size_t method_bytes_ = 0, target_bytes_ = 0, count_ = 0;
  std::array<phr_header, 128> fields_;
};

class Httparse {
 public:
  size_t read(std::string_view head) {
    head_ = head;
    return rival_httparse(head.data(), head.size(), nullptr, nullptr);
  }
  Seen seen() const {
    std::vector<std::string> parts;
    rival_httparse(
        head_.data(), head_.size(),
        [](void* context, const char* at, size_t size) {
          static_cast<std::vector<std::string>*>(context)->emplace_back(at, size);
        },
        &parts);
    Seen seen{parts.at(0), parts.at(1), {}};
    for (size_t i = 2; i + 1 < parts.size(); i += 2)
      seen.fields.emplace_back(parts[i], parts[i + 1]);
    return seen;
  }

 private:
  std::string_view head_;
};
#endif

#ifdef HAVE_HTTP_PARSER
class HttpParser {
 public:
  HttpParser() {
    http_parser_settings_init(&settings_);
    settings_.on_message_begin = [](http_parser* parser) {
      auto& self = of(parser);
      self.count_ = 0;
      self.target_ = {};
      self.in_value_ = true;
      self.complete_ = false;
      return 0;
    };
    settings_.on_url = [](http_parser* parser, const char* at, size_t length) {
      extend(of(parser).target_, at, length);
      return 0;
    };
    settings_.on_header_field = [](http_parser* parser, const char* at, size_t length) {
      auto& self = of(parser);
      if (self.in_value_) {
        if (self.count_ == self.fields_.size()) return 1;
        self.fields_[self.count_++] = {};
        self.in_value_ = false;
      }
      extend(self.fields_[self.count_ - 1].name, at, length);
      return 0;
    };
    settings_.on_header_value = [](http_parser* parser, const char* at, size_t length) {
      auto& self = of(parser);
      self.in_value_ = true;
      extend(self.fields_[self.count_ - 1].value, at, length);
      return 0;
    };
    settings_.on_headers_complete = [](http_parser*) { return 0; };
    settings_.on_message_complete = [](http_parser* parser) {
      of(parser).complete_ = true;
      return 0;
    };
  }

  size_t read(std::string_view head) {
    http_parser_init(&parser_, HTTP_REQUEST);
    parser_.data = this;
    if (http_parser_execute(&parser_, &settings_, head.data(), head.size()) != head.size() ||
        !complete_)
      return 0;
    size_t bytes = 0;
    for (size_t i = 0; i < count_; ++i)
      add_sizes(bytes, fields_[i].name.size(), fields_[i].value.size());
    return bytes;
  }
  Seen seen() const {
    Seen seen{http_method_str(static_cast<http_method>(parser_.method)), std::string(target_), {}};
    for (size_t i = 0; i < count_; ++i) seen.fields.emplace_back(fields_[i].name, fields_[i].value);
    return seen;
  }

 private:
  static HttpParser& of(http_parser* parser) { return *static_cast<HttpParser*>(parser->data); }
  static void extend(std::string_view& view, const char* at, size_t length) {
    view = view.empty() ? std::string_view(at, length)
                        : std::string_view(view.data(), view.size() + length);
  }

  http_parser parser_{};
  http_parser_settings settings_{};
  std::string_view target_;
  std::array<http::Header, 128> fields_;
  size_t count_ = 0;
  bool in_value_ = true, complete_ = false;
};
#endif

#ifdef HAVE_BOOST_BEAST
// Its parsers are for one message each.
class Beast {
  using Parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;

 public:
  size_t read(std::string_view head) {
    Parser& parser = parser_.emplace();
    parser.eager(true);
    parser.header_limit(16 * 1024);
    boost::beast::error_code error;
    parser.put(boost::asio::buffer(head.data(), head.size()), error);
    if (error || !parser.is_done()) return 0;
    size_t bytes = 0;
    for (const auto& field : parser.get())
      add_sizes(bytes, field.name_string().size(), field.value().size());
    return bytes;
  }
  Seen seen() const {
    const auto& message = parser_->get();
    Seen seen{std::string(message.method_string()), std::string(message.target()), {}};
    for (const auto& field : message)
      seen.fields.emplace_back(std::string(field.name_string()), std::string(field.value()));
    return seen;
  }

 private:
  std::optional<Parser> parser_;
};
#endif

template <class Contender>
void run(benchmark::State& state, const Input& input) {
  Contender contender;
  for (auto _ : state) {
    std::string_view head = input.head;
    benchmark::DoNotOptimize(head);
    benchmark::DoNotOptimize(contender.read(head));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(input.head.size()));
}

template <class Contender>
void add(const char* contender_name, const Input& input, const Seen& expected) {
  Contender contender;
  if (contender.read(input.head) == 0 || contender.seen() != expected) {
    std::fprintf(stderr, "%s reads %s otherwise\n", contender_name, input.name);
    std::exit(1);
  }
  benchmark::RegisterBenchmark((std::string(input.name) + "/" + contender_name).c_str(),
                               [&input](benchmark::State& state) { run<Contender>(state, input); });
}

// A head in two pieces, as when it straddles two reads: what goes on costs no more than what
// begins.
void in_two_pieces(benchmark::State& state, const Input& input) {
  http::RequestParser parser;
  for (auto _ : state) {
    std::string_view head = input.head;
    benchmark::DoNotOptimize(head);
    parser.reset();
    parser.parse(head.substr(0, head.size() / 2));
    benchmark::DoNotOptimize(parser.parse(head));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(input.head.size()));
}

}  // namespace

int main(int argc, char** argv) {
  for (const Input& input : inputs) {
    Ours ours;
    const bool whole = ours.read(input.head) != 0;
    const Seen expected = ours.seen();
    if (!whole || expected.method != "GET" || expected.fields.size() != input.fields ||
        expected.fields[0].first != "Host") {
      std::fprintf(stderr, "ringpost does not read %s\n", input.name);
      return 1;
    }
    add<Ours>("ringpost", input, expected);
    add<OursBySse2>("ringpost by SSE2", input, expected);
    add<OursPortable>("ringpost portable", input, expected);
#ifdef HAVE_PICOHTTPPARSER
    add<PicoHttpParser>("picohttpparser", input, expected);
    add<Httparse>("httparse", input, expected);
#endif
#ifdef HAVE_HTTP_PARSER
    add<HttpParser>("http_parser", input, expected);
#endif
#ifdef HAVE_BOOST_BEAST
    add<Beast>("Boost.Beast", input, expected);
#endif
  }
  benchmark::RegisterBenchmark("browser/ringpost in two pieces",
                               [](benchmark::State& state) { in_two_pieces(state, inputs[2]); });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
