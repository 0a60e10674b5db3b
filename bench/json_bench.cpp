// A user, and a page of fifty, as JSON.
#include <cstdio>
#include <cstdlib>

#include <benchmark/benchmark.h>

#include "bench/json_rivals.h"
#include "bench/user_rows.h"
#include "src/app/user_json.h"

namespace ringpost::bench {
namespace {

const std::vector<app::User> users = make_users(50);

std::string_view ours_user(const app::User& user, proto::wire::Buffer& out) {
  out.clear();
  proto::json::Writer json(out);
  app::write_user(json, user);
  json.commit();
  return out.view();
}

std::string_view ours_page(proto::wire::Buffer& out) {
  out.clear();
  proto::json::Writer json(out);
  json.raw("{\"items\":[");
  for (size_t i = 0; i < users.size(); ++i) {
    if (i != 0) json.raw(",");
    app::write_user(json, users[i]);
  }
  json.raw("],\"limit\":50,\"offset\":0,\"total\":10000}");
  json.commit();
  return out.view();
}

void check(std::string_view theirs, std::string_view ours, const char* library) {
  if (theirs == ours) return;
  std::fprintf(stderr, "%s wrote\n%.*s\nand not\n%.*s\n", library, static_cast<int>(theirs.size()),
               theirs.data(), static_cast<int>(ours.size()), ours.data());
  std::abort();
}

void user_ours(benchmark::State& state) {
  proto::wire::Buffer out;
  size_t bytes = 0, i = 0;
  for (auto _ : state) {
    const std::string_view json = ours_user(users[i++ % users.size()], out);
    bytes += json.size();
    benchmark::DoNotOptimize(json.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}
BENCHMARK(user_ours);

void page_ours(benchmark::State& state) {
  proto::wire::Buffer out;
  for (auto _ : state) benchmark::DoNotOptimize(ours_page(out).data());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(out.size()));
}
BENCHMARK(page_ours);

#if RINGPOST_HAS_RAPIDJSON
void rapid_page(rapidjson::StringBuffer& out) {
  out.Clear();
  RapidWriter json(out);
  json.StartObject();
  json.Key("items", 5);
  json.StartArray();
  for (const app::User& user : users) write_user(json, user);
  json.EndArray();
  json.Key("limit", 5);
  json.Int(50);
  json.Key("offset", 6);
  json.Int(0);
  json.Key("total", 5);
  json.Int(10000);
  json.EndObject();
}

void user_rapidjson(benchmark::State& state) {
  rapidjson::StringBuffer out;
  proto::wire::Buffer ours;
  size_t i = 0;
  for (const app::User& user : users) {
    out.Clear();
    RapidWriter json(out);
    write_user(json, user);
    check({out.GetString(), out.GetSize()}, ours_user(user, ours), "RapidJSON");
  }
  for (auto _ : state) {
    out.Clear();
    RapidWriter json(out);
    write_user(json, users[i++ % users.size()]);
    benchmark::DoNotOptimize(out.GetString());
  }
}
BENCHMARK(user_rapidjson);

void page_rapidjson(benchmark::State& state) {
  rapidjson::StringBuffer out;
  proto::wire::Buffer ours;
  rapid_page(out);
  check({out.GetString(), out.GetSize()}, ours_page(ours), "RapidJSON");
  for (auto _ : state) {
    rapid_page(out);
    benchmark::DoNotOptimize(out.GetString());
  }
}
BENCHMARK(page_rapidjson);
#endif

#if RINGPOST_HAS_NLOHMANN
std::string nlohmann_page() {
  nlohmann::ordered_json page;
  auto& items = page["items"] = nlohmann::ordered_json::array();
  for (const app::User& user : users) items.push_back(make_user(user));
  page["limit"] = 50;
  page["offset"] = 0;
  page["total"] = 10000;
  return page.dump();
}

void user_nlohmann(benchmark::State& state) {
  proto::wire::Buffer ours;
  size_t i = 0;
  for (const app::User& user : users)
    check(make_user(user).dump(), ours_user(user, ours), "nlohmann");
  for (auto _ : state) benchmark::DoNotOptimize(make_user(users[i++ % users.size()]).dump());
}
BENCHMARK(user_nlohmann);

void page_nlohmann(benchmark::State& state) {
  proto::wire::Buffer ours;
  check(nlohmann_page(), ours_page(ours), "nlohmann");
  for (auto _ : state) benchmark::DoNotOptimize(nlohmann_page());
}
BENCHMARK(page_nlohmann);
#endif

#if HAVE_YYJSON
std::string_view yyjson_user(YyjsonDocument& json, const app::User& user) {
  const IdText id(user);
  const TimeText time(user);
  json.begin();
  yyjson_mut_doc_set_root(json.get(), make_user(json.get(), user, id, time));
  return json.write();
}

std::string_view yyjson_page(YyjsonDocument& json) {
  json.begin();
  std::vector<IdText> ids(users.begin(), users.end());
  std::vector<TimeText> times(users.begin(), users.end());
  yyjson_mut_val* const page = yyjson_mut_obj(json.get());
  yyjson_mut_doc_set_root(json.get(), page);
  yyjson_mut_val* const items = yyjson_mut_obj_add_arr(json.get(), page, "items");
  for (size_t i = 0; i < users.size(); ++i)
    yyjson_mut_arr_append(items, make_user(json.get(), users[i], ids[i], times[i]));
  yyjson_mut_obj_add_int(json.get(), page, "limit", 50);
  yyjson_mut_obj_add_int(json.get(), page, "offset", 0);
  yyjson_mut_obj_add_int(json.get(), page, "total", 10000);
  return json.write();
}

void user_yyjson(benchmark::State& state) {
  YyjsonDocument json;
  proto::wire::Buffer ours;
  size_t i = 0;
  for (const app::User& user : users)
    check(yyjson_user(json, user), ours_user(user, ours), "yyjson");
  for (auto _ : state)
    benchmark::DoNotOptimize(yyjson_user(json, users[i++ % users.size()]).data());
}
BENCHMARK(user_yyjson);

void page_yyjson(benchmark::State& state) {
  YyjsonDocument json;
  proto::wire::Buffer ours;
  check(yyjson_page(json), ours_page(ours), "yyjson");
  for (auto _ : state) benchmark::DoNotOptimize(yyjson_page(json).data());
}
BENCHMARK(page_yyjson);
#endif

#if RINGPOST_HAS_SIMDJSON_BUILDER
void user_simdjson(benchmark::State& state) {
  simdjson::builder::string_builder json;
  proto::wire::Buffer ours;
  size_t i = 0;
  for (const app::User& user : users) {
    json.clear();
    write_user(json, user);
    check(json.view().value(), ours_user(user, ours), "simdjson");
  }
  for (auto _ : state) {
    json.clear();
    write_user(json, users[i++ % users.size()]);
    benchmark::DoNotOptimize(json.view().value().data());
  }
}
BENCHMARK(user_simdjson);
#endif

}  // namespace
}  // namespace ringpost::bench

BENCHMARK_MAIN();
