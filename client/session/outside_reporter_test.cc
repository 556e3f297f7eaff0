#include "client/session/outside_reporter.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

class OutsideReporterTest : public ::testing::Test {
 protected:
  void Connect(bool knows = true) {
    v1::Welcome welcome;
    if (knows) welcome.add_features("external");
    reporter_.Connected(welcome);
  }

  OutsideReporter reporter_;
};

TEST_F(OutsideReporterTest, AChangeIsToldOnce) {
  Connect();
  reporter_.Set(GiB(2), GiB(1));
  const auto told = reporter_.Take(kNow);
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->revision(), 1u);
  EXPECT_EQ(told->bytes(), GiB(2).in_bytes());
  EXPECT_EQ(told->trimmable(), GiB(1).in_bytes());
  reporter_.Set(GiB(2), GiB(1));
  EXPECT_FALSE(reporter_.Take(kNow + absl::Seconds(9)).has_value());
  EXPECT_EQ(reporter_.next(), absl::InfiniteFuture());
}

TEST_F(OutsideReporterTest, ManyChangesAreToldTwentyTimesASecondAndTheNewestCounts) {
  Connect();
  reporter_.Set(GiB(1), Bytes());
  ASSERT_TRUE(reporter_.Take(kNow).has_value());
  reporter_.Set(GiB(2), Bytes());
  reporter_.Set(GiB(3), Bytes());
  EXPECT_FALSE(reporter_.Take(kNow + absl::Milliseconds(49)).has_value());
  EXPECT_EQ(reporter_.next(), kNow + absl::Milliseconds(50));
  const auto told = reporter_.Take(kNow + absl::Milliseconds(50));
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->bytes(), GiB(3).in_bytes());
  EXPECT_EQ(told->revision(), 2u);
}

TEST_F(OutsideReporterTest, AnotherBrokerIsToldAnew) {
  Connect();
  reporter_.Set(GiB(1), Bytes());
  ASSERT_TRUE(reporter_.Take(kNow).has_value());
  Connect();
  EXPECT_TRUE(reporter_.Take(kNow).has_value());
}

TEST_F(OutsideReporterTest, ABrokerThatDoesNotKnowOfItIsNotTold) {
  Connect(/*knows=*/false);
  reporter_.Set(GiB(1), Bytes());
  EXPECT_FALSE(reporter_.Take(kNow).has_value());
  EXPECT_EQ(reporter_.next(), absl::InfiniteFuture());
}

TEST_F(OutsideReporterTest, WhoSaysNothingIsSilent) {
  Connect();
  EXPECT_FALSE(reporter_.Take(kNow).has_value());
}

}  // namespace
}  // namespace kvbroker
