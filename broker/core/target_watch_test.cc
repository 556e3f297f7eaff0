#include "broker/core/target_watch.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

class TargetWatchTest : public ::testing::Test {
 protected:
  absl::Time At(int ms) const { return absl::UnixEpoch() + absl::Hours(1) + absl::Milliseconds(ms); }
  TargetWatch watch_;
};

TEST_F(TargetWatchTest, ABoundAboveWhatIsHeldAsksForNothing) {
  watch_.Tell(MiB(10), absl::Milliseconds(5), MiB(10), At(0));
  EXPECT_FALSE(watch_.asked());
  EXPECT_FALSE(watch_.MissedSince(At(100)));
  EXPECT_EQ(watch_.revision(), 1u);
}

TEST_F(TargetWatchTest, AnAnswerIsTimedFromTheAsking) {
  watch_.Tell(MiB(10), absl::Seconds(1), MiB(20), At(0));
  EXPECT_FALSE(watch_.Holds(MiB(15), At(5)));
  EXPECT_TRUE(watch_.Holds(MiB(10), At(8)));
  EXPECT_EQ(watch_.response(), absl::Milliseconds(8));
  EXPECT_FALSE(watch_.asked());
}

TEST_F(TargetWatchTest, TheSlowestOfTheLastEightCounts) {
  for (int i = 0; i < 10; ++i) {
    watch_.Tell(MiB(10), absl::Seconds(1), MiB(20), At(1000 * i));
    watch_.Holds(MiB(10), At(1000 * i + (i < 2 ? 900 : 10 + i)));
    watch_.Tell(std::nullopt, absl::ZeroDuration(), MiB(10), At(1000 * i + 950));
  }
  EXPECT_EQ(watch_.response(), absl::Milliseconds(19));
}

TEST_F(TargetWatchTest, AMissIsToldOnceAndEndsWithTheAnswer) {
  watch_.Tell(MiB(10), absl::Milliseconds(100), MiB(20), At(0));
  EXPECT_FALSE(watch_.MissedSince(At(99)));
  EXPECT_TRUE(watch_.MissedSince(At(100)));
  EXPECT_FALSE(watch_.MissedSince(At(200)));
  EXPECT_TRUE(watch_.missed());
  EXPECT_TRUE(watch_.Holds(MiB(9), At(300)));
  EXPECT_FALSE(watch_.missed());
  EXPECT_EQ(watch_.misses(), 1u);
}

TEST_F(TargetWatchTest, WhatIsAskedInAdditionHasADeadlineOfItsOwn) {
  watch_.Tell(MiB(10), absl::Milliseconds(100), MiB(20), At(0));
  watch_.Tell(MiB(5), absl::Milliseconds(100), MiB(20), At(60));
  EXPECT_EQ(watch_.within(At(60)), absl::Milliseconds(100));
  EXPECT_FALSE(watch_.Holds(MiB(10), At(90))) << "the first is answered";
  EXPECT_EQ(watch_.asked_for(At(90)), absl::Milliseconds(30));
  EXPECT_FALSE(watch_.MissedSince(At(120)));
  EXPECT_TRUE(watch_.MissedSince(At(160)));
  EXPECT_TRUE(watch_.Holds(MiB(5), At(170)));
  EXPECT_EQ(watch_.response(), absl::Milliseconds(110));
}

TEST_F(TargetWatchTest, WhoIsAskedForEverMoreIsLateWithTheFirst) {
  for (int i = 0; i < 100; ++i) {
    watch_.Tell(MiB(200) - MiB(1) * static_cast<uint64_t>(i), absl::Milliseconds(100), MiB(300), At(10 * i));
    EXPECT_EQ(watch_.MissedSince(At(10 * i)), i == 10) << i;
    EXPECT_EQ(watch_.missed(), i >= 10);
  }
}

TEST_F(TargetWatchTest, AnEarlierDeadlineForMoreIsOneForAll) {
  watch_.Tell(MiB(10), absl::Seconds(1), MiB(20), At(0));
  watch_.Tell(MiB(5), absl::Milliseconds(100), MiB(20), At(60));
  EXPECT_TRUE(watch_.MissedSince(At(160)));
  EXPECT_EQ(watch_.misses(), 1u);
}

TEST_F(TargetWatchTest, RemembersHowLongItWasLate) {
  watch_.Tell(MiB(10), absl::Milliseconds(100), MiB(20), At(0));
  EXPECT_FALSE(watch_.WasLateSince(At(-1)));
  EXPECT_TRUE(watch_.WasLateSince(At(0))) << "it has had all that time";
  EXPECT_TRUE(watch_.MissedSince(At(100)));
  EXPECT_TRUE(watch_.WasLateSince(At(100)));
  watch_.Holds(MiB(10), At(300));
  EXPECT_TRUE(watch_.WasLateSince(At(299)));
  EXPECT_FALSE(watch_.WasLateSince(At(301)));
}

TEST_F(TargetWatchTest, ABoundThatIsLiftedOrRaisedHalfWayLeavesTheDeadline) {
  watch_.Tell(MiB(10), absl::Milliseconds(100), MiB(20), At(0));
  watch_.Tell(MiB(15), absl::Milliseconds(100), MiB(20), At(60));
  EXPECT_TRUE(watch_.MissedSince(At(100)));
  watch_.Tell(std::nullopt, absl::ZeroDuration(), MiB(20), At(110));
  EXPECT_FALSE(watch_.asked());
  EXPECT_FALSE(watch_.missed());
  EXPECT_EQ(watch_.response(), absl::ZeroDuration()) << "nothing was answered";
}

TEST_F(TargetWatchTest, RemembersWhatItNeverAnswered) {
  watch_.Tell(MiB(10), absl::Seconds(1), MiB(20), At(0));
  EXPECT_EQ(watch_.UnansweredFor(At(0), At(300)), absl::Milliseconds(300));
  watch_.Tell(std::nullopt, absl::ZeroDuration(), MiB(20), At(500));
  watch_.Tell(MiB(10), absl::Seconds(1), MiB(20), At(600));
  EXPECT_EQ(watch_.UnansweredFor(At(500), At(700)), absl::Milliseconds(500));
  EXPECT_EQ(watch_.UnansweredFor(At(501), At(700)), absl::Milliseconds(100));
}

TEST_F(TargetWatchTest, ARepeatMayBringTheDeadlineForwardAndNeverPutsItOff) {
  watch_.Tell(MiB(10), absl::Seconds(1), MiB(20), At(0));
  EXPECT_EQ(watch_.within(At(400)), absl::Milliseconds(600));
  watch_.Repeat(absl::Seconds(1), At(400));
  EXPECT_EQ(watch_.within(At(400)), absl::Milliseconds(600));
  EXPECT_TRUE(watch_.IsSooner(absl::Milliseconds(250), At(400)));
  watch_.Repeat(absl::Milliseconds(250), At(400));
  EXPECT_EQ(watch_.within(At(400)), absl::Milliseconds(250));
  EXPECT_TRUE(watch_.MissedSince(At(650)));
  EXPECT_EQ(watch_.within(At(700)), absl::Milliseconds(1)) << "it is over, and still a deadline";
}

TEST_F(TargetWatchTest, NoDeadlineIsNeverMissed) {
  watch_.Tell(MiB(10), absl::ZeroDuration(), MiB(20), At(0));
  EXPECT_FALSE(watch_.MissedSince(At(1'000'000)));
}

TEST_F(TargetWatchTest, ASleepOfTheMachineMovesTheDeadline) {
  watch_.Tell(MiB(10), absl::Milliseconds(100), MiB(20), At(0));
  watch_.Extend(absl::Seconds(10));
  EXPECT_FALSE(watch_.MissedSince(At(10'050)));
  EXPECT_TRUE(watch_.MissedSince(At(10'100)));
}

}  // namespace
}  // namespace kvbroker
