#include "cli/limit.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kGiB = uint64_t{1} << 30;

TEST(ParseLimitTest, ReadsASizeAPercentageOrNone) {
  EXPECT_EQ(ParseLimit("40GiB")->bytes(), 40 * kGiB);
  EXPECT_EQ(ParseLimit("1.5 G")->bytes(), 3 * kGiB / 2);
  EXPECT_EQ(ParseLimit("40GB")->bytes(), 40'000'000'000u);
  EXPECT_EQ(ParseLimit("50%")->percent(), 50);
  EXPECT_EQ(ParseLimit(" 12.5 % ")->percent(), 12.5);
  EXPECT_EQ(ParseLimit("0%")->limit_case(), admin::v1::SetLimitRequest::kPercent);
  EXPECT_TRUE(ParseLimit("none")->none());
}

TEST(ParseLimitTest, ZeroIsALimitOfNothing) {
  ASSERT_TRUE(ParseLimit("0").ok());
  EXPECT_EQ(ParseLimit("0")->limit_case(), admin::v1::SetLimitRequest::kBytes);
}

TEST(ParseLimitTest, NamesWhatIsNoLimit) {
  for (const char* text : {"", "40GB!", "-5GiB", "120%", "120 %", "-1%", "nan%", "inf%", "%", "half", "1e30", "1.2.3G",
                           "99999999999TiB", "none of it"}) {
    const auto limit = ParseLimit(text);
    EXPECT_EQ(limit.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(limit.status().message()), HasSubstr(absl::StrCat("'", text, "' is no ")));
  }
}

TEST(RenderLimitTest, SaysWhatIsInForce) {
  admin::v1::SetLimitResponse response;
  response.set_limit(5 * kGiB / 2);
  EXPECT_EQ(RenderLimit("chat", response), "chat: limit 2.5 GiB\n");
  response.set_bytes_over(kGiB);
  EXPECT_EQ(RenderLimit("chat", response),
            "chat: limit 2.5 GiB; it holds 1.0 GiB more and is asked to give that back\n");
}

TEST(RenderLimitTest, ALimitOfNothingIsNotNone) {
  admin::v1::SetLimitResponse response;
  EXPECT_EQ(RenderLimit("chat", response), "chat: limit 0 B\n");
  response.set_unlimited(true);
  EXPECT_EQ(RenderLimit("chat", response), "chat: no limit\n");
}

}  // namespace
}  // namespace kvbroker::cli
