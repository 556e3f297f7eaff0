#include "broker/core/due_watch.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

class DueWatchTest : public ::testing::Test {
 protected:
  static absl::Time At(int ms) { return absl::UnixEpoch() + absl::Hours(1) + absl::Milliseconds(ms); }
  // With a deadline of 100 ms.
  Bytes DueAt(int ms) { return watch_.DueThroughout(absl::Milliseconds(100), At(ms)); }
  DueWatch watch_;
};

TEST_F(DueWatchTest, WhatIsDueIsDueAfterTheDeadline) {
  watch_.Set(MiB(10), MiB(4), At(0));
  EXPECT_EQ(DueAt(99), Bytes());
  EXPECT_EQ(DueAt(100), MiB(10));
}

TEST_F(DueWatchTest, EachRiseHasItsOwnDeadline) {
  watch_.Set(MiB(10), Bytes(), At(0));
  watch_.Set(MiB(20), Bytes(), At(50));
  EXPECT_EQ(DueAt(120), MiB(10));
  EXPECT_EQ(DueAt(150), MiB(20));
}

TEST_F(DueWatchTest, WhoWantedLessMeanwhileWaitsAnew) {
  watch_.Set(MiB(10), Bytes(), At(0));
  watch_.Set(MiB(2), Bytes(), At(80));
  watch_.Set(MiB(10), Bytes(), At(90));
  EXPECT_EQ(DueAt(150), MiB(2));
  EXPECT_EQ(DueAt(189), MiB(2));
  EXPECT_EQ(DueAt(190), MiB(10));
}

TEST_F(DueWatchTest, ALowerLevelLastsNoLongerThanItDid) {
  watch_.Set(MiB(1), Bytes(), At(0));
  watch_.Set(MiB(9), Bytes(), At(50));
  watch_.Set(MiB(4), Bytes(), At(80));
  EXPECT_EQ(DueAt(155), MiB(4)) << "since 50 ms at least 4 MiB have been due";
}

TEST_F(DueWatchTest, WhatItGaveBackItselfIsDueAnew) {
  watch_.Set(MiB(10), MiB(10), At(0));
  watch_.Set(MiB(10), MiB(7), At(500));
  EXPECT_EQ(DueAt(599), MiB(7));
  EXPECT_EQ(DueAt(600), MiB(10));
}

TEST_F(DueWatchTest, RisesWithoutEndTakeNoMemory) {
  for (int i = 0; i < 1000; ++i) watch_.Set(Bytes(static_cast<uint64_t>(i)), Bytes(), At(i / 100));
  EXPECT_GE(DueAt(109), Bytes(DueWatch::kMostLevels - 2));
  EXPECT_LT(DueAt(50), Bytes(1000));
}

TEST_F(DueWatchTest, ASleepOfTheMachineIsNoWait) {
  watch_.Set(MiB(10), Bytes(), At(0));
  watch_.Extend(absl::Seconds(10));
  EXPECT_EQ(DueAt(10'050), Bytes());
  EXPECT_EQ(DueAt(10'100), MiB(10));
}

}  // namespace
}  // namespace kvbroker
