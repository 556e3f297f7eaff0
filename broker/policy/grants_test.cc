#include "broker/policy/grants.h"

#include <string>
#include <vector>

#include "broker/policy/testing/snapshot_builder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;

// All slots are of 1 GiB.
SessionSpec Want(const char* tenant, uint64_t held, uint64_t wanted, uint64_t min_useful = 0) {
  return {.tenant = tenant, .slot = GiB(1), .held = GiB(held), .wanted = GiB(wanted), .min_useful = min_useful};
}

Grants PlanOf(const SnapshotBuilder& builder, const Shares& shares, Reclaim reclaim = {},
              std::optional<size_t> turn = std::nullopt) {
  const PolicySnapshot snapshot = builder.Build();
  reclaim.ask.resize(snapshot.sessions.size());
  return PlanGrants(SumUp(snapshot), shares, turn, reclaim, !reclaim.coming.IsZero());
}

// Everybody is owed all that it is entitled to.
Grants Plan(const SnapshotBuilder& builder, const std::vector<Bytes>& entitled, const Reclaim& reclaim = {},
            std::optional<size_t> turn = std::nullopt) {
  return PlanOf(builder, {.entitled = entitled, .owed = entitled}, reclaim, turn);
}

TEST(GrantsTest, NobodyGetsMoreThanItsEntitlement) {
  EXPECT_THAT(Plan(SnapshotBuilder(GiB(24)).Add(Want("a", 2, 20)), {GiB(5)}).slots, ElementsAre(3));
}

TEST(GrantsTest, TheOldestWantOfARankIsFirst) {
  SnapshotBuilder builder(GiB(4));
  builder.Add(Want("a", 0, 3)).Add(Want("b", 0, 3));
  EXPECT_THAT(Plan(builder, {GiB(3), GiB(3)}).slots, ElementsAre(3, 1));
}

TEST(GrantsTest, AHigherClassIsFirst) {
  SessionSpec batch = Want("a", 0, 3);
  batch.policy.tenant_class = TenantClass::kBatch;
  SnapshotBuilder builder(GiB(4));
  builder.Add(batch).Add(Want("b", 0, 3));
  EXPECT_THAT(Plan(builder, {GiB(3), GiB(3)}).slots, ElementsAre(1, 3));
}

TEST(GrantsTest, WhatIsAssuredComesBeforeTheTurnAndThatBeforeTheRest) {
  SessionSpec assured = Want("c", 0, 3);
  assured.policy = {.guarantee = GiB(2), .tenant_class = TenantClass::kBestEffort};
  SnapshotBuilder builder(GiB(4));
  builder.Add(Want("a", 0, 3)).Add(Want("b", 0, 1)).Add(assured);
  EXPECT_THAT(Plan(builder, {GiB(3), GiB(1), GiB(3)}, {}, 1).slots, ElementsAre(1, 1, 2));
}

TEST(GrantsTest, WhatWaitsForMemoryOnItsWayIsNotOvertaken) {
  SnapshotBuilder builder(GiB(4));
  builder.Add(Want("a", 0, 6, 6)).Add(Want("b", 0, 3));
  const Grants grants = Plan(builder, {GiB(6), GiB(3)}, {.coming = GiB(2)});
  EXPECT_THAT(grants.slots, ElementsAre(0, 0));
  EXPECT_THAT(grants.obstacles, ElementsAre(Obstacle::kMemory, Obstacle::kMemory));
}

TEST(GrantsTest, WhatCannotBeMetByWhatComesBlocksNobody) {
  SnapshotBuilder builder(GiB(4));
  builder.Add(Want("a", 0, 6, 6)).Add(Want("b", 0, 3));
  EXPECT_THAT(Plan(builder, {GiB(6), GiB(3)}, {.coming = GiB(1)}).slots, ElementsAre(0, 3));
}

TEST(GrantsTest, ALimitCountsWhatIsReturnedAndNotSeenYet) {
  SessionSpec spec = Want("a", 2, 9);
  spec.policy.limit = GiB(6);
  spec.returned = GiB(1);
  const Grants grants = Plan(SnapshotBuilder(GiB(24)).Add(spec), {GiB(6)});
  EXPECT_THAT(grants.slots, ElementsAre(3));
  EXPECT_THAT(grants.obstacles, ElementsAre(Obstacle::kLimit));
}

TEST(GrantsTest, WhoIsToGiveBackGetsNothing) {
  const Grants grants = Plan(SnapshotBuilder(GiB(24)).Add(Want("a", 2, 9)), {GiB(6)}, {.ask = {GiB(1)}});
  EXPECT_THAT(grants.slots, ElementsAre(0));
  EXPECT_THAT(grants.obstacles, ElementsAre(Obstacle::kTarget));
}

TEST(GrantsTest, OthersReservesStay) {
  SessionSpec reserved = Want("b", 1, 1);
  reserved.policy.reserved = GiB(3);
  SnapshotBuilder builder(GiB(6));
  builder.Add(Want("a", 0, 9)).Add(reserved);
  const Grants grants = Plan(builder, {GiB(5), GiB(1)});
  EXPECT_THAT(grants.slots, ElementsAre(3, 0));
  EXPECT_EQ(grants.obstacles[0], Obstacle::kReserve);
}

// 3 GiB are there, of which 2 are reserved for c; one is on its way. For a that will do, so b gets nothing of it.
TEST(GrantsTest, AWantThatWaitsBesideAReserveKeepsWhatThereIsAsWell) {
  SessionSpec reserved = Want("c", 0, 0);
  reserved.policy.reserved = GiB(2);
  SnapshotBuilder builder(GiB(3));
  builder.Add(Want("a", 0, 2, 2)).Add(Want("b", 0, 1)).Add(reserved);
  const Grants grants = Plan(builder, {GiB(2), GiB(1), GiB(0)}, {.coming = GiB(1)});
  EXPECT_THAT(grants.slots, ElementsAre(0, 0, 0));
  EXPECT_EQ(grants.obstacles[0], Obstacle::kReserve);
}

TEST(GrantsTest, WhatCannotBeHadBackIsNotLent) {
  SessionSpec guaranteed = Want("b", 1, 1);
  guaranteed.policy.guarantee = GiB(3);
  SnapshotBuilder builder(GiB(6));
  builder.Add(Want("a", 0, 9)).Add(guaranteed);
  const Grants grants = Plan(builder, {GiB(5), GiB(1)});
  EXPECT_THAT(grants.slots, ElementsAre(3, 0));
  EXPECT_EQ(grants.obstacles[0], Obstacle::kLending);
  EXPECT_EQ(grants.guarantee_at_risk, Bytes());
}

TEST(GrantsTest, WhileRoomIsShortOnlyWhatIsAssuredIsGranted) {
  SessionSpec guaranteed = Want("a", 0, 9);
  guaranteed.policy.guarantee = GiB(3);
  SnapshotBuilder builder(GiB(12));
  builder.Add(guaranteed).Add(Want("b", 0, 2)).RoomShort(GiB(1));
  const Grants grants = Plan(builder, {GiB(9), GiB(2)});
  EXPECT_THAT(grants.slots, ElementsAre(3, 0));
  EXPECT_THAT(grants.obstacles, ElementsAre(Obstacle::kRoom, Obstacle::kRoom));
}

TEST(GrantsTest, ASlotAcrossTheEntitlementIsGrantedWhereNothingIsShort) {
  SnapshotBuilder builder(GiB(8));
  builder.Add(Want("a", 0, 9)).Add(Want("b", 0, 9)).Add(Want("c", 0, 9));
  const Bytes third = Bytes(GiB(8).in_bytes() / 3);
  EXPECT_THAT(Plan(builder, {third, third, third}).slots, ElementsAre(3, 3, 2));
  EXPECT_THAT(Plan(builder, {third, third, third}, {.coming = GiB(1)}).slots, ElementsAre(2, 2, 2));
}

TEST(GrantsTest, WhatIsOwedComesBeforeWhatOneIsEntitledToBeyondIt) {
  SnapshotBuilder builder(GiB(6));
  builder.Add(Want("a", 2, 9)).Add(Want("b", 0, 4));
  EXPECT_THAT(PlanOf(builder, {.entitled = {GiB(6), GiB(3)}, .owed = {GiB(2), GiB(3)}}).slots, ElementsAre(1, 3));
}

TEST(GrantsTest, ASlotIsForWhoIsOwedAPartOfIt) {
  SnapshotBuilder builder(GiB(6));
  builder.Add(Want("a", 2, 9)).Add(Want("b", 3, 4));
  const Bytes part = GiB(3) + MiB(512);
  EXPECT_THAT(PlanOf(builder, {.entitled = {GiB(6), part}, .owed = {GiB(2), part}}).slots, ElementsAre(0, 1));
}

TEST(GrantsTest, NobodyGetsMoreThanItIsOwedOutOfWhatSomebodyWaitsFor) {
  SnapshotBuilder builder(GiB(6));
  builder.Add(Want("a", 2, 9)).Add(Want("b", 0, 6, 6));
  const Shares shares = {.entitled = {GiB(6), GiB(6)}, .owed = {GiB(2), GiB(6)}};
  const Grants grants = PlanOf(builder, shares, {.coming = GiB(2)});
  EXPECT_THAT(grants.slots, ElementsAre(0, 0));
  EXPECT_THAT(grants.obstacles, ElementsAre(Obstacle::kEntitlement, Obstacle::kMemory));
}

TEST(GrantsTest, NobodyCrossesItsEntitlementWhileLendingKeepsSomebodyFromItsOwn) {
  SessionSpec guaranteed = Want("c", 0, 0);
  guaranteed.policy.guarantee = GiB(3);
  SessionSpec shows = Want("b", 1, 9);  // may be lent more: what it has can be had back
  shows.holding.spare = GiB(1);
  SnapshotBuilder builder(GiB(4));
  builder.Add(Want("a", 0, 9, 2)).Add(shows).Add(guaranteed);
  const Bytes half = Bytes(GiB(3).in_bytes() / 2);
  const Grants grants = Plan(builder, {GiB(3), half, GiB(0)});
  EXPECT_THAT(grants.slots, ElementsAre(0, 0, 0));
  EXPECT_THAT(grants.obstacles, ElementsAre(Obstacle::kLending, Obstacle::kEntitlement, Obstacle::kNone));
}

}  // namespace
}  // namespace kvbroker
