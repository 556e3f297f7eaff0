#include "broker/policy/trims.h"

#include <map>
#include <vector>

#include "broker/policy/reclaim.h"
#include "broker/policy/testing/snapshot_builder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr absl::Duration kLongAgo = absl::Seconds(60);

// What is planned where so many bytes are missing for shares, and everybody holds as much more than its own.
Trims Plan(const SnapshotBuilder& builder, Bytes missing = Bytes()) {
  const PolicySnapshot snapshot = builder.Build();
  const Situation situation = SumUp(snapshot);
  std::vector<Bytes> entitled;
  for (const TenantState& tenant : situation.tenants) entitled.push_back(MinusOrZero(tenant.held, missing));
  Shortage shortage;
  shortage.needed[static_cast<size_t>(Purpose::kShareOfInteractive)] = missing;
  return PlanTrims(situation, entitled, std::nullopt, shortage);
}

std::map<uint64_t, Bytes> Asked(const SnapshotBuilder& builder, Bytes missing = Bytes()) {
  std::map<uint64_t, Bytes> asked;
  for (const PolicyPlan::Trim& trim : Plan(builder, missing).ask) asked[trim.session.value()] = trim.bytes;
  return asked;
}

// Session 1 holds all of 8 GiB and wants so much more.
SnapshotBuilder Full(Bytes more) {
  SnapshotBuilder builder(GiB(8));
  builder.Add({.tenant = "a", .held = GiB(8), .wanted = GiB(8) + more});
  return builder;
}

TEST(TrimsTest, AWantThatIsNotMetAsksWhoeverHasTrimmableBytesForAQuarterMore) {
  EXPECT_THAT(Asked(Full(GiB(2)).Add({.tenant = "b", .trimmable = GiB(14)})), ElementsAre(Pair(2, GiB(2) + MiB(512))));
}

TEST(TrimsTest, NobodyIsAskedForLessThanAReclaimOrForMoreThanItHas) {
  EXPECT_THAT(Asked(Full(MiB(64)).Add({.tenant = "b", .trimmable = GiB(14)})), ElementsAre(Pair(2, kLeastReclaim)));
  EXPECT_THAT(Asked(Full(GiB(2)).Add({.tenant = "b", .trimmable = MiB(300)})), ElementsAre(Pair(2, MiB(300))));
}

TEST(TrimsTest, NobodyIsAskedWhereAllIsThere) {
  EXPECT_THAT(Asked(Full(Bytes()).Add({.tenant = "b", .trimmable = GiB(14)})), IsEmpty());
  SnapshotBuilder free(GiB(8));
  EXPECT_THAT(Asked(free.Add({.tenant = "a", .wanted = GiB(8)}).Add({.tenant = "b", .trimmable = GiB(14)})), IsEmpty());
}

TEST(TrimsTest, WhoHasMostIsAskedFirstAndNoMoreThanWillDo) {
  SnapshotBuilder builder = Full(GiB(3));
  builder.Add({.tenant = "b", .trimmable = GiB(1)})
      .Add({.tenant = "c", .trimmable = GiB(2)})
      .Add({.tenant = "d", .trimmable = GiB(1)});
  EXPECT_THAT(Asked(builder), ElementsAre(Pair(2, GiB(1)), Pair(3, GiB(2)))) << "of equals the older session";
}

TEST(TrimsTest, TooLittleIsNotWorthIt) {
  EXPECT_THAT(Asked(Full(GiB(2)).Add({.tenant = "b", .trimmable = kLeastTrim - Bytes(1)})), IsEmpty());
  EXPECT_THAT(Asked(Full(GiB(2)).Add({.tenant = "b", .trimmable = kLeastTrim})), ElementsAre(Pair(2, kLeastTrim)));
}

// A request of 6 GiB at once, beside which all that can be let go of is too little.
TEST(TrimsTest, NobodyIsAskedForAWantThatItCouldNotHelp) {
  SnapshotBuilder builder(GiB(4));
  builder.Add({.tenant = "a", .slot = GiB(1), .wanted = GiB(6), .min_useful = 6}).Add({.tenant = "b"});
  SnapshotBuilder enough = builder;
  EXPECT_THAT(Asked(builder.Add({.tenant = "c", .trimmable = GiB(1)})), IsEmpty());
  EXPECT_THAT(Asked(enough.Add({.tenant = "c", .trimmable = GiB(2)})), ElementsAre(Pair(3, GiB(2))));
}

// A cap below what the device has: what is let go of becomes no capacity, and room alone could use it.
TEST(TrimsTest, NobodyIsAskedForMoreThanCapacityMayGrowByAndRoomLacks) {
  const auto asked = [](Bytes growable, Bytes room_short) {
    return Asked(Full(GiB(2)).Add({.tenant = "b", .trimmable = GiB(14)}).Growable(growable).RoomShort(room_short));
  };
  EXPECT_THAT(asked(Bytes(), Bytes()), IsEmpty());
  EXPECT_THAT(asked(GiB(1), Bytes()), ElementsAre(Pair(2, GiB(1) + MiB(256))));
  EXPECT_THAT(asked(Bytes(), GiB(1)), ElementsAre(Pair(2, GiB(1) + MiB(256))));
}

TEST(TrimsTest, AWantBeyondItsLimitAsksNobody) {
  SnapshotBuilder builder(GiB(8));
  builder.Add({.tenant = "a", .policy = {.limit = GiB(8)}, .held = GiB(8), .wanted = GiB(10)});
  EXPECT_THAT(Asked(builder.Add({.tenant = "b", .trimmable = GiB(14)})), IsEmpty());
}

TEST(TrimsTest, SpareAndFreeBytesOfOthersGoFirst) {
  const auto with = [](Bytes spare, Bytes cached) {
    SnapshotBuilder builder(GiB(8));
    Holding holding = {.spare = spare};
    holding.cached_by_age[7] = cached;
    builder.Add({.tenant = "a", .held = GiB(8), .wanted = GiB(8), .holding = holding})
        .Add({.tenant = "b", .wanted = GiB(2)})
        .Add({.tenant = "c", .trimmable = GiB(14)});
    return Asked(builder, GiB(2));
  };
  EXPECT_THAT(with(GiB(2), Bytes()), IsEmpty());
  EXPECT_THAT(with(GiB(1), GiB(7)), ElementsAre(Pair(3, GiB(1) + MiB(256))));
  EXPECT_THAT(with(Bytes(), GiB(8)), ElementsAre(Pair(3, GiB(2) + MiB(512)))) << "before the oldest cached ones";
}

TEST(TrimsTest, WhatTargetsAskForAlreadyIsNotAskedForTwice) {
  SnapshotBuilder builder(GiB(8));
  builder.Add({.tenant = "a", .held = GiB(8), .wanted = GiB(8), .target = GiB(6)})
      .Add({.tenant = "b", .wanted = GiB(2)})
      .Add({.tenant = "c", .trimmable = GiB(14)});
  EXPECT_THAT(Asked(builder, GiB(2)), IsEmpty());
}

TEST(TrimsTest, WhatWasAskedForCountsAsComingForAMoment) {
  const auto asked_for = [](absl::Duration age) {
    return Plan(Full(GiB(2)).Add({.tenant = "b", .trimmable = GiB(14), .trim_asked = GiB(3), .trim_asked_for = age}));
  };
  EXPECT_THAT(asked_for(kTrimComes - absl::Milliseconds(1)).ask, IsEmpty());
  EXPECT_EQ(asked_for(kTrimComes - absl::Milliseconds(1)).coming, GiB(3));
  EXPECT_EQ(asked_for(kTrimComes).coming, Bytes());
}

TEST(TrimsTest, WhoDidNotLetGoIsAskedAgainAfterFiveSecondsAndWhoDidSooner) {
  const auto asked = [](Bytes left, absl::Duration age) {
    return Asked(Full(GiB(2)).Add({.tenant = "b", .trimmable = GiB(14), .trim_asked = left, .trim_asked_for = age}));
  };
  EXPECT_THAT(asked(GiB(3), kTrimAgain - absl::Milliseconds(1)), IsEmpty());
  EXPECT_THAT(asked(GiB(3), kTrimAgain), ElementsAre(Pair(2, GiB(2) + MiB(512))));
  EXPECT_THAT(asked(Bytes(), kTrimComes - absl::Milliseconds(1)), IsEmpty());
  EXPECT_THAT(asked(Bytes(), kTrimComes), ElementsAre(Pair(2, GiB(2) + MiB(512))));
}

TEST(TrimsTest, WhereTrimsWereWaitedForTheyAreAskedForAndNotCountedOn) {
  const auto awaited = [](absl::Duration age) {
    return Plan(Full(GiB(2)).Add({.tenant = "b", .trimmable = GiB(14)}).TrimsAwaited(age));
  };
  EXPECT_EQ(awaited(kTrimComes - absl::Milliseconds(1)).coming, GiB(2) + MiB(512));
  EXPECT_EQ(awaited(kTrimComes).coming, Bytes());
  EXPECT_EQ(awaited(kLongAgo).ask.size(), 1u);
}

}  // namespace
}  // namespace kvbroker
