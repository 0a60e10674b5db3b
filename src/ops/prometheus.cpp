#include "src/ops/prometheus.h"

#include <fmt/format.h>

namespace ringpost::ops {

namespace {

// A label's value may be any text: backslash, quote and line feed are escaped.
void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
}

constexpr std::string_view type_names[] = {"counter", "gauge", "histogram"};

}  // namespace

void PrometheusText::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  fmt::format_to(std::back_inserter(out_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name,
                 type_names[static_cast<size_t>(type)]);
}

void PrometheusText::line(std::string_view suffix, const Labels& labels, std::string_view le,
                          std::string_view value) {
  out_.append(name_).append(suffix);
  char before = '{';
  const auto label = [this, &before](std::string_view name, std::string_view text) {
    out_ += std::exchange(before, ',');
    out_.append(name).append("=\"");
    append_escaped(out_, text);
    out_ += '"';
  };
  for (const auto& [name, text] : labels) label(name, text);
  if (!le.empty()) label("le", le);
  if (before == ',') out_ += '}';
  out_.append(" ").append(value) += '\n';
}

void PrometheusText::sample(const Labels& labels, uint64_t value) {
  line({}, labels, {}, fmt::format_int(value).str());
}

void PrometheusText::sample(const Labels& labels, double value) {
  line({}, labels, {}, fmt::format("{}", value));
}

void PrometheusText::histogram(const Labels& labels, std::span<const double> bounds,
                               std::span<const uint64_t> counts, double sum) {
  uint64_t below = 0;
  for (size_t i = 0; i < bounds.size(); ++i) {
    below += counts[i];
    // Seven digits tell bounds apart that are 9 % from each other, and are the same on each scrape.
    line("_bucket", labels, fmt::format("{:.7g}", bounds[i]), fmt::format_int(below).str());
  }
  below += counts[bounds.size()];
  line("_bucket", labels, "+Inf", fmt::format_int(below).str());
  line("_sum", labels, {}, fmt::format("{}", sum));
  line("_count", labels, {}, fmt::format_int(below).str());
}

}  // namespace ringpost::ops
