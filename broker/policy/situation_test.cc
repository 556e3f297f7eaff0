#include "broker/policy/situation.h"

#include "broker/policy/saturating.h"
#include "broker/policy/testing/snapshot_builder.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

TEST(SituationTest, DemandIsWhatIsWantedWithinTheLimit) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .policy = {.limit = GiB(6)}, .wanted = GiB(4)})
                                      .Add({.tenant = "a", .held = GiB(2), .wanted = GiB(4)})
                                      .Add({.tenant = "b", .held = GiB(5), .wanted = GiB(3)})
                                      .Build();
  const Situation situation = SumUp(snapshot);
  EXPECT_EQ(situation.tenants[0].demand, GiB(6));
  EXPECT_EQ(situation.tenants[1].demand, GiB(3));
}

TEST(SituationTest, WhatCannotBeMovedCountsAgainstItsTenantAndTheDevice) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24))
          .Add({.tenant = "a", .policy = {.guarantee = GiB(8), .limit = GiB(10)}, .held = GiB(1), .wanted = GiB(20)})
          .AddImmovable("a", GiB(3))
          .Build();
  const Situation situation = SumUp(snapshot);
  EXPECT_EQ(situation.tenants[0].held, GiB(1));
  EXPECT_EQ(situation.tenants[0].limit, GiB(7));
  EXPECT_EQ(situation.tenants[0].assured, GiB(5));
  EXPECT_EQ(situation.tenants[0].demand, GiB(7));
  EXPECT_EQ(situation.distributable, GiB(21));
}

TEST(SituationTest, RoomAndUnusedReservesAreNotDistributed) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .policy = {.reserved = GiB(8)}, .wanted = GiB(3)})
                                      .RoomShort(GiB(2))
                                      .Build();
  EXPECT_EQ(SumUp(snapshot).distributable, GiB(17));
}

TEST(SituationTest, WhatAnIdleGuaranteeMayWantAtOnceIsNotDistributed) {
  const SessionSpec gold = {.tenant = "gold", .policy = {.guarantee = GiB(8)}, .held = GiB(1), .wanted = GiB(2)};
  SessionSpec jobs = {.tenant = "jobs", .held = GiB(4), .wanted = GiB(24), .response = absl::Milliseconds(500)};
  const auto distributable = [&] { return SumUp(SnapshotBuilder(GiB(24)).Add(gold).Add(jobs).Build()).distributable; };
  EXPECT_EQ(distributable(), GiB(24) - Bytes(2'000'000'000)) << "4 GB/s while the borrower answers";
  jobs.reported = false;
  EXPECT_EQ(distributable(), GiB(24) - Bytes(200'000'000)) << "nobody answers: 50 ms";
  jobs.reported = true;
  jobs.response = absl::Seconds(1);
  EXPECT_EQ(distributable(), GiB(24) - Bytes(4'000'000'000));
  jobs.response = absl::Seconds(2);
  EXPECT_EQ(distributable(), GiB(24) - Bytes(200'000'000)) << "too slow to be lent against";
  const PolicySnapshot nobody_else = SnapshotBuilder(GiB(24)).Add(gold).Build();
  EXPECT_EQ(SumUp(nobody_else).distributable, GiB(24) - Bytes(200'000'000));
}

TEST(SituationTest, AGuaranteeThatIsWantedIsDistributed) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24)).Add({.tenant = "gold", .policy = {.guarantee = GiB(8)}, .wanted = GiB(8)}).Build();
  EXPECT_EQ(SumUp(snapshot).distributable, GiB(24));
}

TEST(SituationTest, OfAHoldingThatClaimsTooMuchTheDearestStand) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24))
          .Add({.tenant = "a",
                .held = GiB(4),
                .holding = {.spare = kMostBytes, .compactable = GiB(1), .preemptible = GiB(2), .pinned = GiB(1)}})
          .Add({.tenant = "b", .held = GiB(4), .holding = {.spare = GiB(1)}})
          .Build();
  const Situation situation = SumUp(snapshot);
  EXPECT_EQ(situation.sessions[0].priced[kSpare], Bytes());
  EXPECT_EQ(situation.sessions[0].Revocable(), GiB(1));
  EXPECT_EQ(situation.sessions[1].priced[kSpare], GiB(1));
  EXPECT_EQ(situation.sessions[1].priced[kPreemptible], GiB(3));
  EXPECT_EQ(situation.sessions[1].unreported, GiB(3));
}

TEST(SituationTest, IdleBytesThatAreNotWantedAreNoDemand) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24))
          .Add({.tenant = "a", .held = GiB(8), .wanted = GiB(6), .holding = {.free = GiB(3)}})
          .Build();
  EXPECT_EQ(SumUp(snapshot).tenants[0].idle, GiB(1));
}

TEST(SituationTest, WhatWasJustGrantedIsNotIdle) {
  SessionSpec spec = {
      .tenant = "a", .held = GiB(8), .wanted = GiB(8), .holding = {.spare = GiB(3)}, .protected_bytes = GiB(7)};
  EXPECT_EQ(SumUp(SnapshotBuilder(GiB(24)).Add(spec).Build()).tenants[0].idle, GiB(1));
  spec.protected_bytes = GiB(5);  // as much is not reported yet
  EXPECT_EQ(SumUp(SnapshotBuilder(GiB(24)).Add(spec).Build()).tenants[0].idle, GiB(3));
}

TEST(SituationTest, ATenantNeedsItsFloorOrElseWhatItHoldsAndTheLeastThatIsOfUse) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24))
          .Add({.tenant = "floor", .floor = GiB(5), .held = GiB(1), .wanted = GiB(9)})
          .Add({.tenant = "least", .held = GiB(1), .wanted = GiB(9), .min_useful = 32})
          .Add({.tenant = "first", .wanted = GiB(9)})
          .Add({.tenant = "got some", .held = GiB(3), .wanted = GiB(9), .min_useful = 32, .protected_bytes = GiB(2)})
          .Build();
  const Situation situation = SumUp(snapshot);
  EXPECT_EQ(situation.tenants[0].need, GiB(5));
  EXPECT_EQ(situation.tenants[1].need, GiB(3));
  EXPECT_EQ(situation.tenants[2].need, MiB(64));
  EXPECT_EQ(situation.tenants[3].need, GiB(3));
}

TEST(SituationTest, WhoWaitsLongRanksOneClassHigherUntilItHasWhatItNeeds) {
  SessionSpec spec = {.tenant = "a",
                      .policy = {.tenant_class = TenantClass::kBestEffort},
                      .floor = GiB(2),
                      .wanted = GiB(9),
                      .waiting = kAgeingStep};
  EXPECT_EQ(SumUp(SnapshotBuilder(GiB(24)).Add(spec).Build()).tenants[0].Rank(), 0);
  spec.waiting = kAgeingStep + absl::Milliseconds(1);
  EXPECT_EQ(SumUp(SnapshotBuilder(GiB(24)).Add(spec).Build()).tenants[0].Rank(), 1);
  spec.held = GiB(2);
  EXPECT_EQ(SumUp(SnapshotBuilder(GiB(24)).Add(spec).Build()).tenants[0].Rank(), 0);
}

TEST(SituationTest, WhoIsRaisedStaysRaisedForAWhileAndNotForMore) {
  SessionSpec spec = {.tenant = "a",
                      .policy = {.tenant_class = TenantClass::kBatch},
                      .held = GiB(3),
                      .wanted = GiB(9),
                      .min_useful = 16,
                      .waiting = absl::Seconds(4)};
  PolicySnapshot snapshot = SnapshotBuilder(GiB(24)).Add(spec).Build();
  EXPECT_EQ(SumUp(snapshot).tenants[0].raised, GiB(4)) << "it has waited long";
  snapshot.tenants[0].raise = {.age = absl::Seconds(29), .need = GiB(3)};
  EXPECT_EQ(SumUp(snapshot).tenants[0].raised, GiB(3)) << "and keeps what it was raised for";
  snapshot.tenants[0].raise->age = kLongestTurn;
  EXPECT_EQ(SumUp(snapshot).tenants[0].raised, Bytes());
  snapshot.tenants[0].raise.reset();
  snapshot.tenants[0].rests_from_raise = true;
  EXPECT_EQ(SumUp(snapshot).tenants[0].raised, Bytes());
}

TEST(SituationTest, WhoHasTheTurnNeedsNoMoreThanItBeganFor) {
  PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                .Add({.tenant = "a", .held = GiB(3), .wanted = GiB(9), .min_useful = 16})
                                .Turn("a", absl::Seconds(5))
                                .Build();
  EXPECT_EQ(SumUp(snapshot).tenants[0].need, GiB(4));
  EXPECT_EQ(SumUp(snapshot).tenants[0].long_request, 0u);
  snapshot.turn->need = GiB(3);
  EXPECT_EQ(SumUp(snapshot).tenants[0].need, GiB(3));
}

}  // namespace
}  // namespace kvbroker
