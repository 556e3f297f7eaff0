#include "tests/replay/json.h"

#include <cmath>

#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

TEST(JsonTest, WritesOneLine) {
  JsonWriter json(JsonWriter::Style::kOneLine);
  json.BeginObject().Field("tenant", "a").Field("peak", KiB(1)).Field("ok", true);
  json.Key("waits").BeginArray().Value(0.25).Value(7).EndArray().Key("none").BeginArray().EndArray();
  json.EndObject();
  EXPECT_EQ(json.text(), R"({"tenant": "a", "peak": 1024, "ok": true, "waits": [0.25, 7], "none": []})");
}

TEST(JsonTest, Indents) {
  JsonWriter json(JsonWriter::Style::kIndented);
  json.BeginObject().Key("a").BeginArray();
  json.BeginObject().Field("b", std::vector<double>{1, 2.5}).EndObject();
  json.EndArray().EndObject();
  EXPECT_EQ(json.text(), "{\n  \"a\": [\n    {\n      \"b\": [1, 2.5]\n    }\n  ]\n}");
}

TEST(JsonTest, EscapesTextAndKeepsLargeNumbersWhole) {
  JsonWriter json(JsonWriter::Style::kOneLine);
  json.BeginArray().Value("a\"b\\c\n").Value(std::nan("")).Value(GiB(50)).Value(53687091200.0).EndArray();
  EXPECT_EQ(json.text(), R"(["a\"b\\c\u000a", null, 53687091200, 53687091200])");
}

}  // namespace
}  // namespace kvbroker::replay
