#include "cli/amount.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kGiB = uint64_t{1} << 30;

TEST(ParseAmountTest, ReadsASizeAPercentageNoneOrInitial) {
  EXPECT_EQ(ParseAmount("40GiB")->bytes(), 40 * kGiB);
  EXPECT_EQ(ParseAmount("1.5 G")->bytes(), 3 * kGiB / 2);
  EXPECT_EQ(ParseAmount("40GB")->bytes(), 40'000'000'000u);
  EXPECT_EQ(ParseAmount("50%")->percent(), 50);
  EXPECT_EQ(ParseAmount(" 12.5 % ")->percent(), 12.5);
  EXPECT_EQ(ParseAmount("0%")->amount_case(), admin::v1::Amount::kPercent);
  EXPECT_TRUE(ParseAmount("none")->none());
  EXPECT_TRUE(ParseAmount("initial")->initial());
}

TEST(ParseAmountTest, ZeroIsASize) {
  ASSERT_TRUE(ParseAmount("0").ok());
  EXPECT_EQ(ParseAmount("0")->amount_case(), admin::v1::Amount::kBytes);
}

TEST(ParseAmountTest, NamesWhatIsNoAmount) {
  for (const char* text : {"", "40GB!", "-5GiB", "120%", "120 %", "-1%", "nan%", "inf%", "%", "half", "1e30", "1.2.3G",
                           "99999999999TiB", "none of it"}) {
    const auto amount = ParseAmount(text);
    EXPECT_EQ(amount.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(amount.status().message()), HasSubstr(absl::StrCat("'", text, "' is no ")));
  }
}

TEST(ParseTimeTest, ReadsUnitsAndSecondsWithinBounds) {
  const auto time = [](const char* text) { return *ParseTime(text, absl::Milliseconds(50), absl::Hours(1)); };
  EXPECT_EQ(time("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(time("2s"), absl::Seconds(2));
  EXPECT_EQ(time("0.5"), absl::Milliseconds(500));
  EXPECT_EQ(time("1h"), absl::Hours(1));
}

TEST(ParseTimeTest, NamesWhatIsNoTime) {
  for (const char* text : {"", "0", "49ms", "2h", "-1s", "inf", "nan", "soon", "5 apples"}) {
    const auto time = ParseTime(text, absl::Milliseconds(50), absl::Hours(1));
    EXPECT_EQ(time.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(time.status().message()), HasSubstr(absl::StrCat("'", text, "' is no time from 50ms")));
  }
}

}  // namespace
}  // namespace kvbroker::cli
