#ifndef KVBROKER_TESTS_REPLAY_JSON_H_
#define KVBROKER_TESTS_REPLAY_JSON_H_

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/bytes.h"

namespace kvbroker::replay {

// Writes JSON in the order of the calls; commas and indentation come by themselves. Whether the calls make a whole
// document is the caller's care. Thread-compatible.
//
//   JsonWriter json(JsonWriter::Style::kOneLine);
//   json.BeginObject().Field("tenant", "a").Field("peak", GiB(1)).EndObject();   // {"tenant": "a", "peak": 1073741824}
class JsonWriter {
 public:
  enum class Style { kOneLine, kIndented };

  explicit JsonWriter(Style style) : style_(style) {}

  JsonWriter& BeginObject() { return Begin('{'); }
  JsonWriter& EndObject() { return End('}'); }
  JsonWriter& BeginArray() { return Begin('['); }
  JsonWriter& EndArray() { return End(']'); }
  JsonWriter& Key(absl::string_view key);

  JsonWriter& Value(absl::string_view text);
  JsonWriter& Value(const char* text) { return Value(absl::string_view(text)); }
  JsonWriter& Value(double number);  // what is no number is null
  JsonWriter& Value(bool value) { return Raw(value ? "true" : "false"); }
  JsonWriter& Value(Bytes bytes) { return Value(bytes.in_bytes()); }
  template <typename T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
  JsonWriter& Value(T number) {
    return Raw(std::to_string(number));
  }
  JsonWriter& Null() { return Raw("null"); }
  // All numbers on one line.
  JsonWriter& Value(const std::vector<double>& numbers);

  template <typename T>
  JsonWriter& Field(absl::string_view key, const T& value) {
    return Key(key).Value(value);
  }

  const std::string& text() const { return text_; }

 private:
  JsonWriter& Begin(char open);
  JsonWriter& End(char close);
  JsonWriter& Raw(absl::string_view text);
  void Separate();
  void NewLine();

  const Style style_;
  std::string text_;
  size_t depth_ = 0;
  bool first_ = true;       // of its array or object
  bool after_key_ = false;  // a value follows on this line
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_JSON_H_
