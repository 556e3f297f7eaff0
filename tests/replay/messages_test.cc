#include "tests/replay/messages.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

using ::testing::ElementsAre;

TEST(MessagesTest, AReadySurvivesItsLine) {
  const std::string line = ToLine(Ready{.device_uuid = "HOST-a\"b", .device_kind = "host", .capacity = GiB(50)});
  EXPECT_EQ(line.back(), '\n');
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto ready = std::get<Ready>(ParseLine(line).value());
  EXPECT_EQ(ready.device_uuid, "HOST-a\"b");
  EXPECT_EQ(ready.capacity, GiB(50));
  EXPECT_EQ(ready.limit, std::nullopt);
}

TEST(MessagesTest, AResultSurvivesItsLine) {
  const auto result = std::get<Result>(ParseLine(ToLine(Result{.done = 7,
                                                               .waits_ms = {0.25, 12},
                                                               .targets_late = 2,
                                                               .answers_ms = {7},
                                                               .mapped = 1ull << 40,
                                                               .refusal = "a\nb"}))
                                           .value());
  EXPECT_EQ(result.done, 7u);
  EXPECT_THAT(result.waits_ms, ElementsAre(0.25, 12));
  EXPECT_EQ(result.mapped, 1ull << 40);
  EXPECT_EQ(result.refusal, "a\nb");
  EXPECT_EQ(result.targets_late, 2u);
  EXPECT_THAT(result.answers_ms, ElementsAre(7));
}

TEST(MessagesTest, AnythingElseIsDataLoss) {
  for (const char* line : {"", "{", "killed", "{\"kind\": \"other\"}", "[]"}) {
    EXPECT_EQ(ParseLine(line).status().code(), absl::StatusCode::kDataLoss) << line;
  }
}

}  // namespace
}  // namespace kvbroker::replay
