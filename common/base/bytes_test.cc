#include "common/base/bytes.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

TEST(BytesTest, ParsesBinaryDecimalAndPlainSizes) {
  EXPECT_EQ(*ParseBytes("40GiB"), GiB(40));
  EXPECT_EQ(*ParseBytes("1.5 GiB"), MiB(1536));
  EXPECT_EQ(*ParseBytes("512m"), MiB(512));
  EXPECT_EQ(*ParseBytes("40GB"), Bytes(40'000'000'000));
  EXPECT_EQ(*ParseBytes("4096"), KiB(4));
  EXPECT_EQ(*ParseBytes("18446744073709551615"), Bytes(UINT64_MAX));
}

TEST(BytesTest, RefusesWhatIsNoSizeAndNamesIt) {
  for (const char* text : {"40GB!", "", "-1GiB", "GiB", "1..5G", "4X", "1e3G", "99999999999999TiB", "nan", "4GiBB"}) {
    const absl::StatusOr<Bytes> parsed = ParseBytes(text);
    ASSERT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(std::string("'") + text + "'"));
  }
}

TEST(BytesTest, PrintsForPeople) {
  EXPECT_EQ(ToString(GiB(40)), "40 GiB");
  EXPECT_EQ(ToString(MiB(1536)), "1.50 GiB");
  EXPECT_EQ(ToString(Bytes(0)), "0 B");
  EXPECT_EQ(ToString(Bytes(1000)), "1000 B");
}

TEST(BytesTest, RoundsUpToAUnit) {
  EXPECT_EQ(RoundUp(MiB(3), MiB(2)), MiB(4));
  EXPECT_EQ(RoundUp(MiB(4), MiB(2)), MiB(4));
}

TEST(BytesTest, SubtractsDownToZero) {
  EXPECT_EQ(MinusOrZero(MiB(3), MiB(5)), Bytes());
  EXPECT_EQ(MinusOrZero(MiB(5), MiB(3)), MiB(2));
}

TEST(BytesDeathTest, AbortsOnADifferenceBelowZero) { EXPECT_DEATH(MiB(1) - MiB(2), "below zero"); }

TEST(BytesTest, UnitsForTheLargestAmountDoNotOverflow) {
  EXPECT_EQ(UnitsFor(Bytes(), MiB(2)), 0u);
  EXPECT_EQ(UnitsFor(MiB(3), MiB(2)), 2u);
  EXPECT_EQ(UnitsFor(Bytes(UINT64_MAX), MiB(32)), uint64_t{1} << 39);
}

}  // namespace
}  // namespace kvbroker
