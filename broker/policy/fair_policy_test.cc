#include "broker/policy/fair_policy.h"

#include <string>
#include <vector>

#include "broker/policy/testing/snapshot_builder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

Bytes Granted(const PolicySnapshot& snapshot, const std::string& tenant) {
  return GrantedTo(snapshot, FairPolicy().Plan(snapshot), tenant);
}

TEST(FairPolicyTest, AFreeDeviceGivesEverybodyWhatItWants) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24)).Add({.tenant = "a", .wanted = GiB(10)}).Add({.tenant = "b", .wanted = GiB(12)}).Build();
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_EQ(GrantedTo(snapshot, plan, "a"), GiB(10));
  EXPECT_EQ(GrantedTo(snapshot, plan, "b"), GiB(12));
  EXPECT_EQ(plan.verdicts[0].rule, Rule::kMet);
  EXPECT_EQ(plan.asked, Bytes());
}

TEST(FairPolicyTest, EqualsThatWantTooMuchGetTheSame) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24)).Add({.tenant = "a", .wanted = GiB(20)}).Add({.tenant = "b", .wanted = GiB(20)}).Build();
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_EQ(GrantedTo(snapshot, plan, "a"), GiB(12));
  EXPECT_EQ(GrantedTo(snapshot, plan, "b"), GiB(12));
  EXPECT_EQ(plan.verdicts[0].rule, Rule::kShare);
  EXPECT_EQ(plan.verdicts[0].because_of, 1u);
}

TEST(FairPolicyTest, WhoHoldsMoreThanItsShareIsAskedForANewcomer) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .held = GiB(24), .wanted = GiB(24)})
                                      .Add({.tenant = "b", .wanted = GiB(20)})
                                      .Build();
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_EQ(plan.targets[0].max, GiB(12));
  EXPECT_EQ(plan.targets[0].reason, "tenant b's share");
  EXPECT_FALSE(plan.targets[0].urgent);
  EXPECT_EQ(plan.targets[1].max, std::nullopt);
  EXPECT_EQ(plan.verdicts[1].rule, Rule::kOnItsWay);
  EXPECT_EQ(plan.verdicts[1].because_of, 0u);
  EXPECT_EQ(plan.asked, GiB(12));
}

// b's share is 12 GiB; a's bytes are cached, and c's process could let go of as many at once.
PolicySnapshot WithTrimmable(const TenantPolicy& policy_of_b = {}) {
  Holding cached;
  cached.cached_by_age[1] = GiB(24);
  return SnapshotBuilder(GiB(24))
      .Add({.tenant = "a", .held = GiB(24), .wanted = GiB(24), .holding = cached})
      .Add({.tenant = "b", .policy = policy_of_b, .wanted = GiB(20)})
      .Add({.tenant = "c", .trimmable = GiB(14)})
      .Build();
}

TEST(FairPolicyTest, WhatIsTrimmableIsAskedForInPlaceOfCachedBytes) {
  const PolicySnapshot snapshot = WithTrimmable();
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  ASSERT_EQ(plan.trims.size(), 1u);
  EXPECT_EQ(plan.trims[0].session, SessionId(3));
  EXPECT_EQ(plan.trims[0].bytes, GiB(14));
  EXPECT_EQ(plan.targets[0].max, std::nullopt);
  EXPECT_EQ(plan.asked, Bytes());
  EXPECT_EQ(plan.verdicts[1].rule, Rule::kOnItsWay);
  EXPECT_TRUE(plan.awaits_trims);
}

TEST(FairPolicyTest, WhereNoTrimComesCachedBytesAreAskedForAsWithoutIt) {
  PolicySnapshot snapshot = WithTrimmable();
  snapshot = CarriedOut(snapshot, FairPolicy().Plan(snapshot));
  EXPECT_EQ(FairPolicy().Plan(snapshot).asked, Bytes()) << "it is on its way";
  snapshot.sessions[2].trim_asked_for = absl::Milliseconds(250);
  snapshot.trims_awaited = absl::Milliseconds(250);
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_TRUE(plan.trims.empty()) << "not asked twice";
  EXPECT_EQ(plan.targets[0].max, GiB(12));
  EXPECT_TRUE(plan.awaits_trims) << "b is short still: nobody else's trims are waited for";
}

TEST(FairPolicyTest, AGuaranteeDoesNotWaitForATrim) {
  const PolicyPlan plan = FairPolicy().Plan(WithTrimmable({.guarantee = GiB(12)}));
  EXPECT_EQ(plan.targets[0].max, GiB(12));
  EXPECT_TRUE(plan.targets[0].urgent);
  EXPECT_EQ(plan.trims.size(), 1u) << "it is sent beside";
}

TEST(FairPolicyTest, ATurnDoesNotWaitForATrimAndRoomDoes) {
  PolicySnapshot snapshot = WithTrimmable();
  snapshot.tenants[1].floor = GiB(20);
  snapshot.turn = {.tenant = 1, .age = absl::Seconds(1), .need = GiB(20)};
  EXPECT_FALSE(FairPolicy().Plan(snapshot).asked.IsZero());
  snapshot = WithTrimmable();
  snapshot.leases[1].wanted = 0;
  snapshot.room_short = GiB(2);
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_EQ(plan.asked, Bytes());
  ASSERT_EQ(plan.trims.size(), 1u);
  EXPECT_EQ(plan.trims[0].bytes, GiB(2) + MiB(512));
}

// What a gives back for b goes to b, although a's want is older: a has its share.
TEST(FairPolicyTest, AVictimCannotWinBackWhatItGave) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .held = GiB(16), .wanted = GiB(24), .target = GiB(12)})
                                      .Add({.tenant = "b", .wanted = GiB(20)})
                                      .Build();
  EXPECT_EQ(Granted(snapshot, "a"), Bytes());
  EXPECT_EQ(Granted(snapshot, "b"), GiB(8));

  const PolicySnapshot later = SnapshotBuilder(GiB(24))
                                   .Add({.tenant = "a", .held = GiB(12), .wanted = GiB(24), .target = GiB(12)})
                                   .Add({.tenant = "b", .held = GiB(8), .wanted = GiB(20)})
                                   .Build();
  EXPECT_EQ(Granted(later, "a"), Bytes());
  EXPECT_EQ(Granted(later, "b"), GiB(4));
}

// It is entitled to 12.4 GiB, and has 10 that nobody uses: b, which uses all of its own, goes on.
TEST(FairPolicyTest, NobodyGivesBackForWhoHoldsIdleBytes) {
  const SessionSpec a = {.tenant = "a", .held = GiB(10), .wanted = GiB(20)};
  const SessionSpec b = {.tenant = "b", .held = GiB(22), .wanted = GiB(22)};
  SessionSpec idle = a;
  idle.holding.cached_by_age[2] = GiB(10);
  EXPECT_EQ(FairPolicy().Plan(SnapshotBuilder(GiB(32)).Add(idle).Add(b).Build()).asked, Bytes());
  EXPECT_EQ(FairPolicy().Plan(SnapshotBuilder(GiB(32)).Add(a).Add(b).Build()).asked, GiB(6));
}

TEST(FairPolicyTest, AGuaranteeComesBackUrgentlyAndWithinItsDeadline) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24))
          .Add({.tenant = "batch", .held = GiB(24), .wanted = GiB(24)})
          .Add({.tenant = "chat",
                .policy = {.guarantee = GiB(16), .guarantee_deadline = absl::Milliseconds(200)},
                .wanted = GiB(16)})
          .Build();
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_EQ(plan.targets[0].max, GiB(8));
  EXPECT_EQ(plan.targets[0].reason, "for tenant chat's guarantee");
  EXPECT_TRUE(plan.targets[0].urgent);
  EXPECT_EQ(plan.targets[0].within, absl::Milliseconds(200));
}

TEST(FairPolicyTest, RoomComesFirst) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24)).Add({.tenant = "a", .held = GiB(20), .wanted = GiB(24)}).RoomShort(GiB(10)).Build();
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_TRUE(plan.grants.empty());
  EXPECT_EQ(plan.targets[0].max, GiB(14));
  EXPECT_EQ(plan.targets[0].reason, "for room of 10 GiB");
}

TEST(FairPolicyTest, AReserveIsLentToNobody) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .wanted = GiB(24)})
                                      .Add({.tenant = "b", .policy = {.reserved = GiB(8)}})
                                      .Build();
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_EQ(GrantedTo(snapshot, plan, "a"), GiB(16));
  EXPECT_EQ(plan.verdicts[0].rule, Rule::kReserved);
  EXPECT_EQ(plan.verdicts[0].because_of, 1u);
}

// Two requests of 16 GiB in 24 GiB: each would have 12 for ever.
TEST(FairPolicyTest, TwoThatStarveTakeTurns) {
  const SessionSpec a = {
      .tenant = "a", .floor = GiB(16), .held = GiB(12), .wanted = GiB(16), .waiting = absl::Seconds(4)};
  SessionSpec b = a;
  b.tenant = "b";
  b.waiting = absl::Seconds(3);
  SnapshotBuilder builder(GiB(24));
  builder.Add(a).Add(b);
  const PolicyPlan plan = FairPolicy().Plan(builder.Build());
  EXPECT_EQ(plan.turn, 0u);
  EXPECT_EQ(plan.shares[0].entitled, GiB(16));
  EXPECT_EQ(plan.shares[1].entitled, GiB(8));
  EXPECT_EQ(plan.targets[1].max, GiB(8));
  EXPECT_EQ(plan.targets[1].reason, "the turn of tenant a");
  EXPECT_EQ(FairPolicy().Plan(builder.Turn("a", absl::Seconds(29)).Build()).turn, 0u);
  EXPECT_EQ(FairPolicy().Plan(builder.Turn("a", absl::Seconds(31)).Build()).turn, 1u);
  EXPECT_EQ(FairPolicy().Plan(builder.Turn("b", absl::Seconds(1)).Build()).turn, 1u);
}

TEST(FairPolicyTest, WantsThatNothingCouldMeetHoldNobodyBack) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(4))
                                      .Add({.tenant = "a", .wanted = GiB(8), .min_useful = 100})
                                      .Add({.tenant = "b", .wanted = GiB(2)})
                                      .Build();
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_EQ(plan.verdicts[0].rule, Rule::kImpossible);
  EXPECT_EQ(GrantedTo(snapshot, plan, "b"), GiB(2));
}

TEST(FairPolicyTest, ALimitHoldsBackItsTenantAlone) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .policy = {.limit = GiB(4)}, .wanted = GiB(8)})
                                      .Add({.tenant = "b", .wanted = GiB(12)})
                                      .Build();
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_EQ(GrantedTo(snapshot, plan, "a"), GiB(4));
  EXPECT_EQ(GrantedTo(snapshot, plan, "b"), GiB(12));
  EXPECT_EQ(plan.verdicts[0].rule, Rule::kLimit);
  EXPECT_EQ(plan.targets[0].max, GiB(4));
  EXPECT_EQ(plan.targets[0].reason, "limit of tenant a, 4 GiB");
}

// A slot that lies across the border of two shares is of use to one of them.
TEST(FairPolicyTest, NoSlotIsLeftBetweenShares) {
  SnapshotBuilder builder(GiB(10));
  for (const char* name : {"a", "b", "c"}) builder.Add({.tenant = name, .slot = GiB(1), .wanted = GiB(9)});
  const PolicySnapshot snapshot = builder.Build();
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_EQ(GrantedTo(snapshot, plan, "a"), GiB(4));
  EXPECT_EQ(GrantedTo(snapshot, plan, "b"), GiB(3));
  EXPECT_EQ(GrantedTo(snapshot, plan, "c"), GiB(3));
  EXPECT_TRUE(FairPolicy().Plan(CarriedOut(snapshot, plan)).grants.empty());
  EXPECT_EQ(FairPolicy().Plan(CarriedOut(snapshot, plan)).asked, Bytes());
}

TEST(FairPolicyTest, AnEmptyBrokerHasAnEmptyPlan) {
  const PolicyPlan plan = FairPolicy().Plan(PolicySnapshot{});
  EXPECT_TRUE(plan.grants.empty());
  EXPECT_TRUE(plan.targets.empty());
}

}  // namespace
}  // namespace kvbroker
