#include "src/ops/log_format.h"

#include <algorithm>
#include <iterator>

namespace ringpost::ops {

namespace {

constexpr std::string_view names[] = {"debug", "info", "warning", "error"};
constexpr std::string_view hexadecimal = "0123456789abcdef";
constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

// How many bytes of well-formed UTF-8 stand at the front for one character (Unicode 15, table 3-7);
// 0 when there are none.
size_t character(std::string_view text) {
  const auto byte = [text](size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto follows = [&byte](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = first == 0xed && byte(1) > 0x9f;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && byte(1) < 0x90;
    const bool beyond = first == 0xf4 && byte(1) > 0x8f;
    return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::optional<Level> level_of(std::string_view name) {
  const auto* const at = std::find(std::begin(names), std::end(names), name);
  if (at == std::end(names)) return std::nullopt;
  return static_cast<Level>(at - std::begin(names));
}

std::optional<LogFormat> log_format_of(std::string_view name) {
  if (name == "logfmt") return LogFormat::logfmt;
  if (name == "json") return LogFormat::json;
  return std::nullopt;
}

void append_logfmt_value(std::string& line, std::string_view value) {
  const bool plain = !value.empty() && std::none_of(value.begin(), value.end(), [](char c) {
    return is_control(c) || c == ' ' || c == '"' || c == '=' || c == '\\';
  });
  if (plain) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else {
      line += is_control(c) ? ' ' : c;
    }
  }
  line += '"';
}

void append_json_string(std::string& line, std::string_view value) {
  line += '"';
  while (!value.empty()) {
    const size_t size = character(value);
    const char c = value.front();
    if (size == 0) {
      line += replacement;
    } else if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (is_control(c)) {  // DEL too: terminals act on it
      line += "\\u00";
      line += hexadecimal[static_cast<unsigned char>(c) >> 4];
      line += hexadecimal[static_cast<unsigned char>(c) & 15];
    } else {
      line += value.substr(0, size);
    }
    value.remove_prefix(std::max<size_t>(size, 1));
  }
  line += '"';
}

std::string logfmt(Level level, std::string_view event, std::span<const Field> fields) {
  std::string line("level=");
  line += names[static_cast<size_t>(level)];
  line += " event=";
  line += event;
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_logfmt_value(line, field.value);
  }
  return line;
}

std::string json(Level level, std::string_view event, std::span<const Field> fields) {
  std::string line(R"("level":")");
  line += names[static_cast<size_t>(level)];
  line += R"(","event":)";
  append_json_string(line, event);
  for (const Field& field : fields) {
    line += ",\"";
    line += field.key;
    line += "\":";
    // No number of JSON: it would end the reading of the line.
    const bool finite = field.value.find_first_of("in") == std::string::npos;
    if (field.number && finite)
      line += field.value;
    else
      append_json_string(line, field.value);
  }
  line += '}';
  return line;
}

}  // namespace ringpost::ops
