#include "tests/replay/target_log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

using ::testing::ElementsAre;

absl::Duration At(double seconds) { return absl::Seconds(seconds); }

TEST(TargetLogTest, AnAskLastsFromHoldingMoreToHoldingNoMore) {
  TargetLog log;
  log.Told({.max = MiB(10), .by = At(2)}, MiB(8), At(1));
  EXPECT_EQ(log.asked_since(), std::nullopt) << "no more is held";
  log.Told({.max = MiB(4), .by = At(2)}, MiB(8), At(1));
  EXPECT_EQ(log.asked_since(), At(1));
  log.Holds(MiB(5), At(1.2));
  log.Holds(MiB(4), At(1.5));
  EXPECT_EQ(log.asked_since(), std::nullopt);
  EXPECT_EQ(log.counts().received, 1u);
  EXPECT_EQ(log.counts().answered, 1u);
  EXPECT_EQ(log.counts().late, 0u);
  EXPECT_EQ(log.counts().reclaimed, MiB(4));
  EXPECT_THAT(log.answers(), ElementsAre(At(0.5)));
}

TEST(TargetLogTest, ANewerTargetBelongsToTheAskButHasItsOwnDeadline) {
  TargetLog log;
  log.Told({.max = MiB(4), .by = At(2)}, MiB(8), At(1));
  log.Holds(MiB(8), At(2.1));
  log.Holds(MiB(8), At(2.2));
  EXPECT_EQ(log.counts().late, 1u);
  log.Told({.max = MiB(2), .by = At(3)}, MiB(6), At(2.5));
  log.Holds(MiB(6), At(2.9));
  EXPECT_EQ(log.counts().late, 1u);
  log.Holds(MiB(6), At(3.1));
  EXPECT_EQ(log.counts().late, 2u);
  EXPECT_EQ(log.counts().received, 1u);
  EXPECT_EQ(log.counts().reclaimed, MiB(2)) << "so far";
}

TEST(TargetLogTest, WhatIsTakenBackOrForgottenIsNoLongerAsked) {
  TargetLog log;
  log.Told({.max = MiB(4), .by = At(2)}, MiB(8), At(1));
  log.Told({}, MiB(7), At(1.1));
  EXPECT_EQ(log.counts().answered, 1u);
  EXPECT_EQ(log.counts().reclaimed, MiB(1));
  log.Told({.max = MiB(4), .by = At(2)}, MiB(8), At(1.2));
  log.Forget();
  log.Holds(MiB(8), At(5));
  EXPECT_EQ(log.asked_since(), std::nullopt);
  EXPECT_EQ(log.counts().late, 0u);
}

TEST(TargetLogTest, TheUsualAnswerIsTheMedianOfTheNewest) {
  TargetLog log;
  EXPECT_EQ(log.usual_answer(), absl::ZeroDuration());
  absl::Duration now;
  for (const int seconds : {100, 100, 9, 1, 2, 3, 4, 5, 6, 7}) {
    log.Told({.max = MiB(1)}, MiB(2), now);
    now += At(seconds);
    log.Holds(MiB(1), now);
  }
  EXPECT_EQ(log.usual_answer(), At(5));
}

}  // namespace
}  // namespace kvbroker::replay
