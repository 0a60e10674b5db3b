// Short links: POST /links makes one of the URL in its body, GET /links/{code} goes there and
// counts the visit, GET /links/{code}/visits says how many there were.
#include <algorithm>
#include <random>

#include "src/pg/transaction.h"
#include "src/service/run.h"

using namespace ringpost;
using proto::http::Status, proto::json::field, proto::pg::read, proto::pg::write;

struct Link {
  std::string target;
  static constexpr auto columns = std::tuple{&Link::target};
};

constexpr auto find_link =
    read<Link(std::string_view)>("find_link", "select target from links where code = $1");
constexpr auto make_link = write<void(std::string_view, std::string_view)>(
    "make_link", "insert into links (code, target) values ($1, $2) on conflict do nothing");
constexpr auto count_visit = write<void(std::string_view)>(
    "count_visit",
    "insert into visits (code, day, count) values ($1, current_date, 1)"
    " on conflict (code, day) do update set count = visits.count + 1");

// In the path and in the body of requests.
constexpr auto code = service::in_path<"code">(
    service::Text{.most_bytes = 32, .characters = "0-9a-z"}, "Which link.", "k3v9x2q");
constexpr auto target =
    service::whole_body({.most_bytes = 2048,
                         .type = "text/plain",
                         .schema = R"({"type":"string","pattern":"^https?://[!#-;=?-Z_a-z~]+$"})",
                         .description = "Where it goes: a URL."});

// http:// or https://, and then what an URI may have but for addresses in brackets (RFC 3986, 2).
bool is_url(std::string_view text) {
  static constexpr std::string_view marks = "-._~:/?#@!$&'()*+,;=%";
  return (text.starts_with("http://") || text.starts_with("https://")) && !text.ends_with("://") &&
         std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  marks.contains(c);
         });
}

class Links final : public service::Service {
 public:
  static constexpr service::About about{.name = "links",
                                        .version = "1.0.0",
                                        .description = "short links, counted in PostgreSQL.",
                                        .title = "Short links",
                                        .api_version = "1.0.0",
                                        .api_description = "Makes short links, and counts."};

  struct Options {
    uint64_t code_length = 7;

    void add_to(service::Options& options) {
      options.number("--code-length", "CODE_LENGTH", code_length, 4, 32,
                     "Characters of a link's code");
    }
  };

  Links(const service::Environment& environment, const Options& options)
      : Service(environment), code_length_(options.code_length) {}

  io::Task<void> make(service::Body body, http::Reply reply) {
    const std::string_view url = body.view();
    if (!is_url(url)) co_return service::send_bad_request(reply, R"({"error":"invalid_url"})");
    const io::Until by = until(reply);
    for (;;) {
      const std::string drawn = draw_code();
      auto query = pool().query(make_link, by, drawn, url);
      const auto made = co_await query;
      if (!made) co_return refuse(made.error(), make_link, std::move(reply));
      if (made->affected() == 0) continue;  // another link has it
      co_return send_object(reply, Status::created, field<"code">(drawn), field<"target">(url));
    }
  }

  io::Task<void> visit(std::string which, http::Reply reply) {
    auto counting = pg::in_transaction(
        pool(), until(reply), {},
        [&which](pg::Transaction& transaction) { return find_and_count(transaction, which); });
    const pg::Result<std::string> url = co_await std::move(counting);
    if (!url) co_return refuse(url.error(), count_visit, std::move(reply));
    if (url->empty()) co_return service::send_not_found(reply);
    service::send_redirect(reply, Status::found, *url);
  }

 private:
  // Where the link goes; nowhere, and nothing is counted, where there is none.
  static io::Task<pg::Result<std::string>> find_and_count(pg::Transaction& transaction,
                                                          const std::string& which) {
    auto finding = transaction.query(find_link, which);
    auto found = co_await finding;
    if (!found) co_return std::unexpected(found.error());
    const std::optional<Link> link = found->next();
    if (!link) co_return std::string();
    auto counting = transaction.query(count_visit, which);
    const auto counted = co_await counting;
    if (!counted) co_return std::unexpected(counted.error());
    co_return link->target;
  }

  std::string draw_code() {
    constexpr std::string_view characters = "0123456789abcdefghijklmnopqrstuvwxyz";
    std::string drawn(code_length_, '0');
    std::uniform_int_distribution<size_t> draw(0, characters.size() - 1);
    for (char& c : drawn) c = characters[draw(random_)];
    return drawn;
  }

  const uint64_t code_length_;
  std::mt19937_64 random_{std::random_device{}()};

  struct Visits {
    int64_t count;
    static constexpr auto columns = std::tuple{&Visits::count};
  };
  static constexpr auto sum_visits = read<Visits(std::string_view)>(
      "sum_visits",
      "select coalesce(sum(count), 0)::bigint from links left join visits using (code)"
      " where code = $1 group by code");

 public:
  io::Task<void> visits(std::string which, http::Reply reply) {
    auto query = pool().query(sum_visits, until(reply), which);
    auto rows = co_await query;
    if (!rows) co_return refuse(rows.error(), sum_visits, std::move(reply));
    const std::optional<Visits> sum = rows->next();
    if (!sum) co_return service::send_not_found(reply);
    send_object(reply, Status::ok, field<"visits">(sum->count));
  }

  static constexpr std::array<const proto::pg::StatementDescription*, 4> statements{
      &find_link, &make_link, &count_visit, &sum_visits};

  static constexpr std::array<service::Schema, 2> schemas{{
      {"Link",
       R"({"type":"object","required":["code","target"],
           "properties":{"code":{"type":"string"},"target":{"type":"string"}}})"},
      {"Visits",
       R"({"type":"object","required":["visits"],"properties":{"visits":{"type":"integer"}}})"},
  }};

  static constexpr auto routes = std::tuple{
      service::post<"/links", &Links::make>(
          {.id = "makeLink",
           .summary = "A new link",
           .answers = {{{Status::created, "It.", "Link"}, {Status::bad_request, "No URL."}}}},
          target),
      service::get<"/links/{code}", &Links::visit>(
          {.id = "visitLink",
           .summary = "Goes where the link goes",
           .answers = {{{Status::found, "There."}, {Status::not_found, "No such link."}}}},
          code),
      service::get<"/links/{code}/visits", &Links::visits>(
          {.id = "countVisits",
           .summary = "How often it was visited",
           .answers = {{{Status::ok, "So often.", "Visits"},
                        {Status::not_found, "No such link."}}}},
          code),
  };
};

int main(int argc, char** argv) {
  return service::run<Links>(argc, argv);
}
