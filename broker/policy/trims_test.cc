#include "broker/policy/trims.h"

#include "broker/policy/fair_policy.h"
#include "broker/policy/testing/snapshot_builder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

MATCHER_P2(Asks, id, bytes, "") { return arg.session == SessionId(id) && arg.bytes == bytes; }

// Tenant a holds all of 24 GiB as young cache, b wants 8 of it.
SnapshotBuilder Full(Bytes trimmable_of_a, Bytes trimmable_of_b, Bytes free_of_a = Bytes()) {
  Holding holding = {.free = free_of_a};
  holding.cached_by_age[2] = GiB(24) - free_of_a;
  return SnapshotBuilder(GiB(24))
      .Add({.tenant = "a", .held = GiB(24), .wanted = GiB(24), .holding = holding, .trimmable = trimmable_of_a})
      .Add({.tenant = "b", .wanted = GiB(8), .trimmable = trimmable_of_b});
}

PolicyPlan PlanOf(const SnapshotBuilder& builder) { return FairPolicy().Plan(builder.Build()); }

TEST(TrimsTest, NobodyIsAskedWhileThereIsEnough) {
  const SnapshotBuilder builder = SnapshotBuilder(GiB(24)).Add({.tenant = "a", .wanted = GiB(8), .trimmable = GiB(2)});
  EXPECT_THAT(PlanOf(builder).trims, IsEmpty());
}

TEST(TrimsTest, WhatIsKeptAndNotUsedGoesBeforeCache) {
  const PolicyPlan plan = PlanOf(Full(GiB(3), GiB(6)));
  EXPECT_THAT(plan.trims, ElementsAre(Asks(2, GiB(6)), Asks(1, GiB(3))));
  EXPECT_EQ(plan.asked, Bytes());
}

TEST(TrimsTest, TheRestIsReclaimed) {
  const Bytes without = PlanOf(Full(Bytes(), Bytes())).asked;
  const PolicyPlan plan = PlanOf(Full(GiB(3), Bytes()));
  EXPECT_THAT(plan.trims, ElementsAre(Asks(1, GiB(3))));
  EXPECT_GT(plan.asked, Bytes());
  EXPECT_LT(plan.asked, without);
}

TEST(TrimsTest, FreeBytesOfThoseWhoHoldTooMuchGoFirst) {
  EXPECT_THAT(PlanOf(Full(GiB(3), Bytes(), GiB(10))).trims, IsEmpty());
}

TEST(TrimsTest, ALittleIsNotWorthIt) { EXPECT_THAT(PlanOf(Full(MiB(63), MiB(63))).trims, IsEmpty()); }

TEST(TrimsTest, WhatWasAskedForLatelyComesAndIsNotAskedForAgain) {
  PolicySnapshot snapshot = Full(Bytes(), Bytes()).Build();
  snapshot.sessions[0].trimming = GiB(8);
  const PolicyPlan plan = FairPolicy().Plan(snapshot);
  EXPECT_THAT(plan.trims, IsEmpty());
  EXPECT_EQ(plan.asked, Bytes());
}

TEST(TrimsTest, AGuaranteeDoesNotWaitForIt) {
  const TenantPolicy guaranteed = {.guarantee = GiB(8)};
  Holding holding;
  holding.cached_by_age[2] = GiB(24);
  const PolicyPlan plan =
      PlanOf(SnapshotBuilder(GiB(24))
                 .Add({.tenant = "a", .held = GiB(24), .wanted = GiB(24), .holding = holding, .trimmable = GiB(20)})
                 .Add({.tenant = "b", .policy = guaranteed, .wanted = GiB(8)}));
  EXPECT_THAT(plan.trims, ElementsAre(Asks(1, GiB(20))));
  EXPECT_GE(plan.asked, GiB(8));
}

}  // namespace
}  // namespace kvbroker
