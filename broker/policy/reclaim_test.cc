#include "broker/policy/reclaim.h"

#include <vector>

#include "broker/policy/testing/snapshot_builder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;

// What sessions are asked for when `bytes` are missing and everybody should have half of what it holds.
std::vector<Bytes> Asks(const SnapshotBuilder& builder, Bytes bytes, Purpose purpose = Purpose::kShareOfInteractive) {
  const PolicySnapshot snapshot = builder.Build();
  const Situation situation = SumUp(snapshot);
  std::vector<Bytes> entitled;
  for (const TenantState& tenant : situation.tenants) entitled.push_back(Bytes(tenant.held.in_bytes() / 2));
  Shortage shortage;
  shortage.needed[static_cast<size_t>(purpose)] = bytes;
  return PlanReclaim(situation, entitled, shortage).ask;
}

// 8 GiB, all of one kind.
SessionSpec Session(const char* tenant, const Holding& holding) {
  return {.tenant = tenant, .held = GiB(8), .wanted = GiB(8), .holding = holding};
}

// All spare.
SessionSpec ThreeSlotsOf32MiB() {
  SessionSpec session = Session("a", {.spare = MiB(96)});
  session.held = session.wanted = MiB(96);
  session.slot = MiB(32);
  return session;
}

TEST(ReclaimTest, CheapestBytesGoFirst) {
  const Holding cached_old = {.cached_by_age = {Bytes(), Bytes(), Bytes(), Bytes(), Bytes(), Bytes(), Bytes(), GiB(8)}};
  const Holding cached_new = {.cached_by_age = {GiB(8)}};
  const std::vector<Holding> by_price = {{.spare = GiB(8)}, {.free = GiB(8)},        cached_old,
                                         cached_new,        {.compactable = GiB(8)}, {.preemptible = GiB(8)}};
  for (size_t i = 0; i + 1 < by_price.size(); ++i) {
    SCOPED_TRACE(i);
    SnapshotBuilder builder(GiB(24));
    builder.Add(Session("dear", by_price[i + 1])).Add(Session("cheap", by_price[i]));
    EXPECT_THAT(Asks(builder, GiB(2)), ElementsAre(Bytes(), GiB(2) + MiB(512)));
  }
}

TEST(ReclaimTest, NobodyGivesBackMoreThanItsExcess) {
  SnapshotBuilder builder(GiB(24));
  builder.Add(Session("a", {.preemptible = GiB(8)})).Add(Session("b", {.spare = GiB(8)}));
  EXPECT_THAT(Asks(builder, GiB(5)), ElementsAre(GiB(2) + MiB(256), GiB(4)));
  EXPECT_THAT(Asks(builder, GiB(50)), ElementsAre(GiB(4), GiB(4)));
}

// What it could give back is slots that it has, however small those of another arena of it would be.
TEST(ReclaimTest, ASlotSizeOfWhichASessionHoldsNothingDoesNotCount) {
  SnapshotBuilder builder(GiB(24));
  builder.Add(ThreeSlotsOf32MiB());
  PolicySnapshot snapshot = builder.Build();
  PolicySnapshot::Lease small = snapshot.leases[0];
  small.id = LeaseId(99);
  small.slot = MiB(2);
  small.held = 0;
  snapshot.leases.push_back(small);
  const Situation situation = SumUp(snapshot);
  Shortage shortage;
  shortage.needed[static_cast<size_t>(Purpose::kShareOfInteractive)] = MiB(48);
  EXPECT_THAT(PlanReclaim(situation, {MiB(48)}, shortage).ask, ElementsAre(MiB(32)));
}

TEST(ReclaimTest, TheSlotThatCrossesAShareIsGivenForWhatIsMoreUrgentAlone) {
  // Half of three slots and a half of another: 1.5 slots are too much.
  SnapshotBuilder builder(GiB(24));
  builder.Add(ThreeSlotsOf32MiB());
  EXPECT_THAT(Asks(builder, MiB(48)), ElementsAre(MiB(32)));
  EXPECT_THAT(Asks(builder, MiB(48), Purpose::kRoom), ElementsAre(MiB(64)));
  EXPECT_THAT(Asks(builder, MiB(32), Purpose::kRoom), ElementsAre(MiB(32))) << "not where whole slots do";
}

TEST(ReclaimTest, PinnedBytesAreNeverAskedFor) {
  SnapshotBuilder builder(GiB(24));
  builder.Add(Session("a", {.pinned = GiB(7)}));
  EXPECT_THAT(Asks(builder, GiB(4), Purpose::kRoom), ElementsAre(GiB(1)));
}

TEST(ReclaimTest, AtLeastAQuarterMoreThanIsMissingAndAtLeast256MiB) {
  SnapshotBuilder builder(GiB(24));
  builder.Add(Session("a", {.spare = GiB(8)}));
  EXPECT_THAT(Asks(builder, MiB(1)), ElementsAre(kLeastReclaim));
  EXPECT_THAT(Asks(builder, GiB(1)), ElementsAre(GiB(1) + MiB(256)));
}

TEST(ReclaimTest, WholeSlotsAreAskedFor) {
  SessionSpec coarse = Session("a", {.spare = MiB(100)});
  coarse.slot = GiB(1);
  EXPECT_THAT(Asks(SnapshotBuilder(GiB(24)).Add(coarse), MiB(1)), ElementsAre(GiB(1)));
}

TEST(ReclaimTest, RefaultsMakeCachedBytesDearer) {
  const Holding cached = {.cached_by_age = {Bytes(), Bytes(), Bytes(), GiB(8)}};
  Holding refaulted = cached;
  refaulted.refault = GiB(8);
  SnapshotBuilder builder(GiB(24));
  builder.Add(Session("a", refaulted)).Add(Session("b", cached));
  EXPECT_THAT(Asks(builder, GiB(1)), ElementsAre(Bytes(), GiB(1) + MiB(256)));
}

TEST(ReclaimTest, LowerClassesAreCheaper) {
  SessionSpec batch = Session("b", {.free = GiB(8)});
  batch.policy.tenant_class = TenantClass::kBestEffort;
  SnapshotBuilder builder(GiB(24));
  builder.Add(Session("a", {.spare = GiB(8)})).Add(batch);
  EXPECT_THAT(Asks(builder, GiB(1)), ElementsAre(Bytes(), GiB(1) + MiB(256)));
}

TEST(ReclaimTest, WhoIsSlowOrMissedItsTargetComesAfterAllThatSuffice) {
  SessionSpec slow = Session("slow", {.spare = GiB(8)});
  slow.response = kUsualDeadline + absl::Milliseconds(1);
  SessionSpec missed = Session("missed", {.spare = GiB(8)});
  missed.missed_target = true;
  SnapshotBuilder builder(GiB(24));
  builder.Add(missed).Add(slow).Add(Session("c", {.preemptible = GiB(8)}));
  EXPECT_THAT(Asks(builder, GiB(3)), ElementsAre(Bytes(), Bytes(), GiB(3) + MiB(768)));
  EXPECT_THAT(Asks(builder, GiB(6)), ElementsAre(Bytes(), GiB(3) + MiB(512), GiB(4)));
  EXPECT_THAT(Asks(builder, GiB(9)), ElementsAre(GiB(1), GiB(4), GiB(4)));
}

TEST(ReclaimTest, WhatAStuckSessionWasAskedForIsNotCountedOn) {
  SessionSpec stuck = Session("stuck", {.spare = GiB(8)});
  stuck.target = GiB(4);
  stuck.missed_target = true;
  SnapshotBuilder builder(GiB(24));
  builder.Add(stuck).Add(Session("b", {.spare = GiB(8)}));
  EXPECT_THAT(Asks(builder, GiB(2)), ElementsAre(GiB(4), GiB(2) + MiB(512)));
}

TEST(ReclaimTest, WhatWasJustGrantedIsProtectedFromEqualsAndLowerClassesAlone) {
  SessionSpec young = Session("a", {.spare = GiB(8)});
  young.policy.tenant_class = TenantClass::kBatch;
  young.protected_bytes = GiB(7);
  SnapshotBuilder builder(GiB(24));
  builder.Add(young);
  EXPECT_THAT(Asks(builder, GiB(3), Purpose::kShareOfBestEffort), ElementsAre(GiB(1)));
  EXPECT_THAT(Asks(builder, GiB(3), Purpose::kShareOfBatch), ElementsAre(GiB(1)));
  EXPECT_THAT(Asks(builder, GiB(3), Purpose::kShareOfInteractive), ElementsAre(GiB(3) + MiB(768)));
  EXPECT_THAT(Asks(builder, GiB(3), Purpose::kGuarantee), ElementsAre(GiB(3) + MiB(768)));
}

TEST(ReclaimTest, WhatIsAskedAlreadyStaysWhileItCoversTheShortage) {
  SessionSpec asked = Session("a", {.preemptible = GiB(8)});
  asked.target = GiB(6);
  SnapshotBuilder builder(GiB(24));
  builder.Add(asked).Add(Session("b", {.spare = GiB(8)}));
  EXPECT_THAT(Asks(builder, GiB(2)), ElementsAre(GiB(2), Bytes()));
  EXPECT_THAT(Asks(builder, GiB(3)), ElementsAre(GiB(2), GiB(1) + MiB(256)));
  EXPECT_THAT(Asks(builder, Bytes()), ElementsAre(Bytes(), Bytes()));
}

TEST(ReclaimTest, WhatIsAskedAlreadyIsCutToTheExcess) {
  SessionSpec asked = Session("a", {.spare = GiB(8)});
  asked.target = GiB(1);
  EXPECT_THAT(Asks(SnapshotBuilder(GiB(24)).Add(asked), GiB(1)), ElementsAre(GiB(4)));
}

TEST(ReclaimTest, ALimitAsksWhoWasAskedAlreadyAndThenWhoHoldsMost) {
  SessionSpec small = {.tenant = "a", .policy = {.limit = GiB(10)}, .held = GiB(4), .wanted = GiB(4)};
  SessionSpec large = {.tenant = "a", .held = GiB(8), .wanted = GiB(8)};
  EXPECT_THAT(Asks(SnapshotBuilder(GiB(24)).Add(small).Add(large), Bytes()), ElementsAre(Bytes(), GiB(2)));
  small.target = GiB(3);
  EXPECT_THAT(Asks(SnapshotBuilder(GiB(24)).Add(small).Add(large), Bytes()), ElementsAre(GiB(1), GiB(1)));
}

}  // namespace
}  // namespace kvbroker
