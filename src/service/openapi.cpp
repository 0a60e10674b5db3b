#include "src/service/openapi.h"

#include <algorithm>
#include <map>
#include <utility>

#include "src/service/json.h"

namespace ringpost::service {

namespace {

using proto::http::Method;
using proto::http::Status;

std::string reference(std::string_view kind, std::string_view name) {
  return R"({"$ref":"#/components/)" + std::string(kind) + "/" + std::string(name) + R"("})";
}

// Members of an object, in their order.
class Object {
 public:
  Object& add(std::string_view name, std::string_view json) {
    text_ += (text_.empty() ? "" : ",") + json_string(name) + ":" + std::string(json);
    return *this;
  }
  Object& text(std::string_view name, std::string_view value) {
    return add(name, json_string(value));
  }
  bool empty() const { return text_.empty(); }
  std::string json() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

std::string content(std::string_view type, std::string_view schema) {
  return Object().add(type, Object().add("schema", schema).json()).json();
}

// Of a name, or as it is.
std::string schema_of(std::string_view schema) {
  return schema.starts_with('{') ? std::string(schema) : reference("schemas", schema);
}

// What routes answer beside what they declare.
struct Shared {
  std::string_view name, description, headers;
};
constexpr Shared bad_request{"BadRequest", "A parameter is not what it has to be.", ""};
constexpr Shared too_large{"TooLarge", "The body is larger than it may be.", ""};
constexpr Shared internal{"Internal", "The database answered with an error, which is in the log.",
                          ""};
constexpr Shared unavailable{
    "Unavailable", "The database can't be asked within the deadline.",
    R"({"Retry-After":{"description":"Seconds.","schema":{"type":"integer"}}})"};
constexpr Shared refused{
    "Refused",
    "What no request may be: another method (405, with Allow), a malformed escape, a head or body "
    "that is too large or too late.",
    ""};

class Document {
 public:
  Document(const About& about, std::span<const Schema> schemas, std::span<const Described> routes)
      : about_(about), schemas_(schemas), routes_(routes) {}

  std::string json() {
    for (size_t i = 0; i < routes_.size(); ++i)
      if (is_first(i)) add_path(routes_[i].pattern);
    Object info;
    info.text("title", about_.title).text("version", about_.api_version);
    if (!about_.license.empty())
      info.add("license",
               Object().text("name", about_.license).text("identifier", about_.license).json());
    info.text("description", about_.api_description);
    return Object()
        .text("openapi", "3.1.0")
        .add("info", info.json())
        .add("servers", R"([{"url":"/"}])")
        .add("paths", paths_.json())
        .add("components", components())
        .json();
  }

 private:
  bool is_first(size_t i) const {
    return std::ranges::find(routes_, routes_[i].pattern, &Described::pattern) ==
           routes_.begin() + static_cast<std::ptrdiff_t>(i);
  }

  // The parameters of the path, which all its methods have, stand beside these.
  void add_path(std::string_view pattern) {
    Object item;
    for (const Described& route : routes_) {
      if (route.pattern != pattern || route.method == Method::options) continue;
      if (item.empty())
        if (const std::string all = parameters(route, true); all != "[]")
          item.add("parameters", all);
      item.add(key(route.method), operation(route, false));
      if (route.method == Method::get) item.add("head", operation(route, true));
    }
    paths_.add(pattern, item.json());
  }

  static std::string_view key(Method method) {
    switch (method) {
      case Method::get:
        return "get";
      case Method::post:
        return "post";
      case Method::put:
        return "put";
      case Method::patch:
        return "patch";
      case Method::delete_:
        return "delete";
      default:
        return "";
    }
  }

  std::string parameters(const Described& route, bool of_path) {
    std::string list;
    for (const Described::Parameter& parameter : route.parameters)
      if (parameter.of_path == of_path)
        list += (list.empty() ? "" : ",") + shared_parameter(parameter);
    return "[" + list + "]";
  }

  // Those that routes have alike stand in one place; another one of the same name stands where it
  // is used.
  std::string shared_parameter(const Described::Parameter& parameter) {
    Object object;
    object.text("name", parameter.name).text("in", parameter.of_path ? "path" : "query");
    if (parameter.required) object.add("required", "true");
    if (!parameter.description.empty()) object.text("description", parameter.description);
    object.add("schema", parameter.schema);
    if (!parameter.example.empty()) object.text("example", parameter.example);
    const std::string json = object.json();
    const auto [at, added] = parameters_.try_emplace(std::string(parameter.name), json);
    return at->second == json ? reference("parameters", parameter.name) : json;
  }

  std::string operation(const Described& route, bool head) {
    const Operation& says = *route.operation;
    Object object;
    object.text("operationId", std::string(says.id) + (head ? "Head" : ""));
    object.text("summary", head ? "The same, without its body" : says.summary);
    if (const std::string all = parameters(route, false); all != "[]")
      object.add("parameters", all);
    if (route.body) {
      Object body;
      if (!route.body->description.empty()) body.text("description", route.body->description);
      body.add("required", "true");
      body.add("content", content(route.body->type, schema_of(route.body->schema)));
      object.add("requestBody", body.json());
    }
    object.add("responses", responses(route, head));
    return object.json();
  }

  std::string responses(const Described& route, bool head) {
    std::map<unsigned, std::string> by_status;
    for (const Says& says : route.operation->answers)
      if (says.status != Status{})
        by_status[static_cast<unsigned>(says.status)] = answer(says, head);
    const auto add = [&](Status status, const Shared& shared) {
      by_status.try_emplace(static_cast<unsigned>(status), response(shared, head));
    };
    if (!route.parameters.empty()) add(Status::bad_request, bad_request);
    if (route.body) add(Status::content_too_large, too_large);
    if (route.asks && !by_status.contains(static_cast<unsigned>(Status::service_unavailable))) {
      add(Status::internal_server_error, internal);
      add(Status::service_unavailable, unavailable);
    }
    Object object;
    for (const auto& [status, json] : by_status) object.add(std::to_string(status), json);
    return object.add("default", response(refused, head)).json();
  }

  static std::string answer(const Says& says, bool head) {
    Object object;
    object.text("description", says.description);
    const bool is_error = static_cast<unsigned>(says.status) >= 400;
    const std::string_view schema = says.schema.empty() && is_error ? "Error" : says.schema;
    if (!head && !schema.empty()) object.add("content", content(says.type, schema_of(schema)));
    return object.json();
  }

  std::string response(const Shared& shared, bool head) {
    if (head) return Object().text("description", shared.description).json();
    if (std::ranges::find(shared_, &shared) == shared_.end()) shared_.push_back(&shared);
    return reference("responses", shared.name);
  }

  std::string components() const {
    Object parameters, schemas, responses;
    for (const auto& [name, json] : parameters_) parameters.add(name, json);
    for (const Schema& schema : schemas_) schemas.add(schema.name, schema.json);
    schemas.add("Status", R"({"type":"object","additionalProperties":false,"required":["status"],)"
                          R"("properties":{"status":{"const":"ok"}}})");
    schemas.add(
        "Error",
        R"({"type":"object","additionalProperties":false,"required":["error"],)"
        R"("properties":{"error":{"type":"string","description":"In one word, as not_found )"
        R"(or invalid_ with the name of a parameter; or the status of a refusal."},)"
        R"("detail":{"type":"string","description":"Of a refusal: what was wrong with the )"
        R"(request."}}})");
    for (const Shared* shared : shared_) {
      Object response;
      response.text("description", shared->description);
      if (!shared->headers.empty()) response.add("headers", shared->headers);
      response.add("content", content("application/json", reference("schemas", "Error")));
      responses.add(shared->name, response.json());
    }
    Object all;
    if (!parameters.empty()) all.add("parameters", parameters.json());
    return all.add("schemas", schemas.json()).add("responses", responses.json()).json();
  }

  const About& about_;
  std::span<const Schema> schemas_;
  std::span<const Described> routes_;
  Object paths_;
  std::map<std::string, std::string> parameters_;
  std::vector<const Shared*> shared_;
};

}  // namespace

std::string openapi(const About& about, std::span<const Schema> schemas,
                    std::span<const Described> routes) {
  return Document(about, schemas, routes).json();
}

}  // namespace ringpost::service
