#include "cli/watch.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;

TEST(ParseIntervalTest, ReadsUnitsAndSeconds) {
  EXPECT_EQ(*ParseInterval("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseInterval("2s"), absl::Seconds(2));
  EXPECT_EQ(*ParseInterval("0.5"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseInterval("1h"), absl::Hours(1));
}

TEST(ParseIntervalTest, NamesWhatIsNoInterval) {
  for (const char* text : {"", "0", "49ms", "2h", "-1s", "inf", "nan", "soon", "5 apples"}) {
    const auto interval = ParseInterval(text);
    EXPECT_EQ(interval.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(interval.status().message()), HasSubstr(absl::StrCat("'", text, "'")));
  }
}

}  // namespace
}  // namespace kvbroker::cli
