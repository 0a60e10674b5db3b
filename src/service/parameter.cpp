#include "src/service/parameter.h"

#include <algorithm>

// To tell in one pass whether text is UTF-8.
#include <simdjson.h>

#include "src/service/json.h"

namespace ringpost::service {

namespace {

// Whether the character is one of these, as a regular expression's brackets have them.
bool is_among(char c, std::string_view characters) {
  for (size_t i = 0; i < characters.size(); ++i) {
    if (i + 2 < characters.size() && characters[i + 1] == '-') {
      if (characters[i] <= c && c <= characters[i + 2]) return true;
      i += 2;
    } else if (characters[i] == c) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string Integer::schema() const {
  std::string json = R"({"type":"integer","format":"int64","minimum":)" + std::to_string(least) +
                     R"(,"maximum":)" + std::to_string(most);
  if (otherwise) json += R"(,"default":)" + std::to_string(*otherwise);
  return json + "}";
}

std::string Uuid::schema() const {
  return R"({"type":"string","format":"uuid","pattern":"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-)"
         R"([0-9a-fA-F]{12}$"})";
}

std::optional<std::string> Text::read(std::string_view text) const {
  if (text.size() < least_bytes || text.size() > most_bytes) return std::nullopt;
  if (characters.empty()
          ? text.contains('\0') || !simdjson::validate_utf8(text.data(), text.size())
          : !std::ranges::all_of(text, [this](char c) { return is_among(c, characters); }))
    return std::nullopt;
  return std::string(text);
}

// JSON Schema counts characters: of these ones each is a byte, of others it may be four.
std::string Text::schema() const {
  std::string json = R"({"type":"string","minLength":)";
  if (characters.empty()) {
    json += std::to_string((least_bytes + 3) / 4) + R"(,"maxLength":)" + std::to_string(most_bytes);
  } else {
    json += std::to_string(least_bytes) + R"(,"maxLength":)" + std::to_string(most_bytes) +
            R"(,"pattern":)" + json_string("^[" + std::string(characters) + "]*$");
  }
  if (otherwise) json += R"(,"default":)" + json_string(*otherwise);
  return json + "}";
}

}  // namespace ringpost::service
