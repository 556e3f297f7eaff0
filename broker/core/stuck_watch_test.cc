#include "broker/core/stuck_watch.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(100);

class StuckWatchTest : public ::testing::Test {
 protected:
  Bytes SeeFor(absl::Duration how_long, Bytes returned) {
    for (const absl::Time end = now_ + how_long; now_ < end; now_ += kLook) watch_.See(returned, now_);
    return watch_.stuck();
  }

  StuckWatch watch_;
  absl::Time now_ = absl::UnixEpoch();
};

TEST_F(StuckWatchTest, WhatComesInTimeIsNotStuck) {
  EXPECT_EQ(SeeFor(absl::Seconds(10), Bytes()), Bytes());
  EXPECT_EQ(SeeFor(StuckWatch::kComes, MiB(8)), Bytes());
  EXPECT_EQ(SeeFor(kLook, Bytes()), Bytes());
}

TEST_F(StuckWatchTest, WhatStaysIs) {
  SeeFor(kLook, Bytes());
  EXPECT_EQ(SeeFor(2 * StuckWatch::kComes + kLook, MiB(8)), MiB(8));
  EXPECT_EQ(SeeFor(kLook, GiB(1)), MiB(8)) << "what comes on top is on its way";
  EXPECT_EQ(SeeFor(kLook, MiB(2)), MiB(2)) << "some of it came after all";
}

TEST_F(StuckWatchTest, WhatWasSeenLongAgoSaysNothing) {
  SeeFor(3 * StuckWatch::kComes, MiB(8));
  now_ += absl::Hours(1);
  EXPECT_EQ(SeeFor(kLook, MiB(8)), Bytes());
}

TEST_F(StuckWatchTest, SleepIsNoTime) {
  SeeFor(kLook, MiB(8));
  now_ += absl::Hours(1);
  watch_.Extend(absl::Hours(1));
  EXPECT_EQ(SeeFor(kLook, MiB(8)), Bytes());
}

}  // namespace
}  // namespace kvbroker
