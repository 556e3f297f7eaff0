#include "broker/core/external_watch.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using Heard = ExternalWatch::Heard;

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

class ExternalWatchTest : public ::testing::Test {
 protected:
  Heard Hear(Bytes bytes, Bytes trimmable) { return watch_.Hear(++revision_, bytes, trimmable); }
  // It holds 20 GiB, could let go of 14, and is asked for so much.
  void HearAndAsk(Bytes bytes) {
    Hear(GiB(20), GiB(14));
    watch_.Ask(bytes, kNow);
  }

  ExternalWatch watch_;
  uint64_t revision_ = 0;
};

TEST_F(ExternalWatchTest, TheNewestRevisionCounts) {
  EXPECT_EQ(watch_.Hear(0, GiB(1), GiB(1)), Heard::kNothingNew) << "a revision is not 0";
  EXPECT_EQ(watch_.Hear(5, GiB(20), GiB(14)), Heard::kNews);
  EXPECT_EQ(watch_.Hear(5, GiB(1), GiB(1)), Heard::kNothingNew);
  EXPECT_EQ(watch_.Hear(4, GiB(1), GiB(1)), Heard::kNothingNew);
  EXPECT_EQ(watch_.bytes(), GiB(20));
  EXPECT_EQ(watch_.trimmable(), GiB(14));
}

TEST_F(ExternalWatchTest, NobodyCouldLetGoOfMoreThanItHolds) {
  Hear(GiB(2), Bytes(UINT64_MAX));
  EXPECT_EQ(watch_.trimmable(), GiB(2));
}

TEST_F(ExternalWatchTest, SettledRoomsCountUntilTheClientSaysWhatItHolds) {
  watch_.Settle(GiB(30), GiB(80));
  watch_.Settle(Bytes(UINT64_MAX), GiB(80));
  EXPECT_EQ(watch_.bytes(), GiB(80));
  Hear(GiB(40), Bytes());
  watch_.Settle(GiB(5), GiB(80));
  EXPECT_EQ(watch_.bytes(), GiB(40));
}

TEST_F(ExternalWatchTest, WhatItIsAskedForComesAsFarAsItCouldLetGoOfIt) {
  HearAndAsk(GiB(4));
  EXPECT_EQ(watch_.coming(), GiB(4));
  EXPECT_EQ(watch_.asked_for(kNow + absl::Seconds(1)), absl::Seconds(1));
  EXPECT_EQ(Hear(GiB(20), GiB(1)), Heard::kNews) << "in use again";
  EXPECT_EQ(watch_.coming(), GiB(1));
  EXPECT_EQ(Hear(GiB(21), GiB(14)), Heard::kNews) << "it let go of nothing";
  EXPECT_EQ(watch_.coming(), GiB(4)) << "asked once, and not answered";
}

TEST_F(ExternalWatchTest, AnAnswerIsSeenWithTheSecondLook) {
  HearAndAsk(GiB(4));
  EXPECT_EQ(Hear(GiB(15), GiB(9)), Heard::kAnswer);
  EXPECT_EQ(watch_.coming(), GiB(4)) << "it let go of 5, it was asked for 4";
  watch_.Looked();
  EXPECT_TRUE(watch_.NeedsLook());
  EXPECT_EQ(watch_.coming(), GiB(4));
  watch_.Looked();
  EXPECT_FALSE(watch_.NeedsLook());
  EXPECT_EQ(watch_.coming(), Bytes());
}

TEST_F(ExternalWatchTest, MoreThanHalfIsAllOfIt) {
  HearAndAsk(GiB(4));
  Hear(GiB(18), GiB(12));
  EXPECT_EQ(watch_.coming(), GiB(4)) << "2 that do not show yet, and 2 more";
  Hear(GiB(18) - MiB(1), GiB(12));
  EXPECT_EQ(watch_.coming(), GiB(2) + MiB(1));
}

TEST_F(ExternalWatchTest, ANewAskTakesThePlaceOfTheOlder) {
  HearAndAsk(GiB(4));
  Hear(GiB(19), GiB(13));
  watch_.Ask(GiB(2), kNow + absl::Seconds(5));
  EXPECT_EQ(watch_.coming(), GiB(2));
  EXPECT_EQ(watch_.revision(), 2u);
  EXPECT_EQ(watch_.asked_for(kNow + absl::Seconds(6)), absl::Seconds(1));
}

TEST_F(ExternalWatchTest, WhileTheMachineSleepsNoTimePasses) {
  EXPECT_EQ(watch_.asked_for(kNow), absl::InfiniteDuration());
  watch_.Extend(absl::Seconds(10));
  EXPECT_EQ(watch_.asked_for(kNow), absl::InfiniteDuration());
  HearAndAsk(GiB(4));
  watch_.Extend(absl::Seconds(10));
  EXPECT_EQ(watch_.asked_for(kNow + absl::Seconds(11)), absl::Seconds(1));
}

}  // namespace
}  // namespace kvbroker
