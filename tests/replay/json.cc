#include "tests/replay/json.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kvbroker::replay {
namespace {

std::string Number(double number) {
  if (!std::isfinite(number)) return "null";
  // Six digits are enough for what was measured; whole numbers keep all theirs.
  if (number == std::floor(number) && std::abs(number) < 0x1p53) return absl::StrFormat("%.0f", number);
  return absl::StrFormat("%.6g", number);
}

std::string Escaped(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", c);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

JsonWriter& JsonWriter::Begin(char open) {
  Separate();
  text_ += open;
  ++depth_;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::End(char close) {
  --depth_;
  if (!first_) NewLine();
  text_ += close;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::Key(absl::string_view key) {
  Separate();
  absl::StrAppend(&text_, "\"", Escaped(key), "\": ");
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::Value(absl::string_view text) { return Raw(absl::StrCat("\"", Escaped(text), "\"")); }

JsonWriter& JsonWriter::Value(double number) { return Raw(Number(number)); }

JsonWriter& JsonWriter::Value(const std::vector<double>& numbers) {
  Separate();
  text_ += '[';
  for (size_t i = 0; i < numbers.size(); ++i) absl::StrAppend(&text_, i > 0 ? ", " : "", Number(numbers[i]));
  text_ += ']';
  return *this;
}

JsonWriter& JsonWriter::Raw(absl::string_view text) {
  Separate();
  absl::StrAppend(&text_, text);
  return *this;
}

void JsonWriter::Separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (!first_) text_ += ',';
  if (depth_ > 0 && (style_ == Style::kIndented || !first_)) NewLine();
  first_ = false;
}

void JsonWriter::NewLine() {
  if (style_ == Style::kIndented) {
    absl::StrAppend(&text_, "\n", std::string(2 * depth_, ' '));
  } else if (text_.back() == ',') {
    text_ += ' ';
  }
}

}  // namespace kvbroker::replay
