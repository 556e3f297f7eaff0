#include "client/session/session_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvbroker {
namespace {

using ::testing::ElementsAre;

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

TEST(SessionTargetTest, ZeroesSayNoDeadlineAndNothingToEvict) {
  v1::Target target;
  target.set_max_bytes(UINT64_MAX);
  const SessionTarget ours = SessionTarget::Of(target, kNow);
  EXPECT_FALSE(ours.max.has_value());
  EXPECT_EQ(ours.by, absl::InfiniteFuture());
  EXPECT_EQ(ours.eviction_age, absl::InfiniteDuration());
  EXPECT_FALSE(ours.urgent);
}

TEST(SessionTargetTest, CarriesWhatTheBrokerSays) {
  v1::Target target;
  target.set_max_bytes(GiB(3).in_bytes());
  target.set_within_ms(1500);
  target.set_urgency(v1::URGENCY_HIGH);
  target.set_eviction_age_ms(4000);
  const SessionTarget ours = SessionTarget::Of(target, kNow);
  EXPECT_EQ(ours.max, GiB(3));
  EXPECT_EQ(ours.by, kNow + absl::Milliseconds(1500));
  EXPECT_EQ(ours.eviction_age, absl::Seconds(4));
  EXPECT_TRUE(ours.urgent);
}

TEST(ShareTargetTest, WithoutABoundEachMayHaveAll) {
  EXPECT_THAT(ShareTarget(std::nullopt, {{.slot = MiB(2), .mapped = 3}}), ElementsAre(UINT64_MAX));
}

TEST(ShareTargetTest, EachMayGrowByWhatIsLeft) {
  EXPECT_THAT(ShareTarget(MiB(20), {{.slot = MiB(2), .mapped = 3}, {.slot = MiB(4), .mapped = 1}}), ElementsAre(8, 3));
}

TEST(ShareTargetTest, WhatIsTooMuchIsAskedOfOneAfterTheOther) {
  EXPECT_THAT(ShareTarget(MiB(5), {{.slot = MiB(2), .mapped = 3}, {.slot = MiB(4), .mapped = 2}}), ElementsAre(0, 1));
  EXPECT_THAT(ShareTarget(MiB(9), {{.slot = MiB(2), .mapped = 3}, {.slot = MiB(4), .mapped = 1}}), ElementsAre(2, 1));
}

TEST(ShareTargetTest, NoMoreGoesThanIsAskedWhereSlotsAreSmallEnough) {
  const std::vector<ArenaShare> arenas = {
      {.slot = MiB(2), .mapped = 3}, {.slot = MiB(12), .mapped = 2}, {.slot = MiB(2), .mapped = 2}};
  EXPECT_THAT(ShareTarget(MiB(26), arenas), ElementsAre(0, 2, 1));
  EXPECT_THAT(ShareTarget(MiB(25), arenas), ElementsAre(0, 2, 0));
  EXPECT_THAT(ShareTarget(MiB(23), arenas), ElementsAre(3, 1, 2)) << "12 for 11; the others need not go then";
  EXPECT_THAT(ShareTarget(Bytes(), arenas), ElementsAre(0, 0, 0));
}

}  // namespace
}  // namespace kvbroker
