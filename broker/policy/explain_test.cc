#include "broker/policy/explain.h"

#include <string>

#include "broker/policy/fair_policy.h"
#include "broker/policy/testing/random_snapshot.h"
#include "broker/policy/testing/snapshot_builder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

// What is said of the last lease.
std::string Said(const SnapshotBuilder& builder) {
  const PolicySnapshot snapshot = builder.Build();
  return Explain(snapshot, FairPolicy().Plan(snapshot), snapshot.leases.size() - 1);
}

TEST(ExplainTest, ALimit) {
  EXPECT_EQ(Said(SnapshotBuilder(GiB(24)).Add(
                {.tenant = "a", .policy = {.limit = GiB(4)}, .held = GiB(4), .wanted = GiB(6)})),
            "tenant a is at its limit, 4.0 GiB, and wants 6.0 GiB");
}

TEST(ExplainTest, AShare) {
  EXPECT_EQ(
      Said(SnapshotBuilder(GiB(24)).Add({.tenant = "a", .wanted = GiB(16)}).Add({.tenant = "b", .wanted = GiB(20)})),
      "tenant b has its fair share, 12.0 GiB of the 20.0 GiB it wants: tenants a, b want 36.0 GiB of 24.0 GiB");
}

TEST(ExplainTest, AShareThatIsNotOwed) {
  SessionSpec a = {.tenant = "a", .held = GiB(10), .wanted = GiB(20)};
  a.holding.cached_by_age[2] = GiB(10);
  EXPECT_EQ(
      Said(SnapshotBuilder(GiB(32)).Add({.tenant = "b", .held = GiB(22), .wanted = GiB(22)}).Add(a)),
      "tenant a has its fair share, 10.0 GiB of the 20.0 GiB it wants, and may have 12.4 GiB once it uses the idle "
      "bytes that it holds: tenants b, a want 42.0 GiB of 32.0 GiB");
}

TEST(ExplainTest, AClass) {
  EXPECT_EQ(Said(SnapshotBuilder(GiB(24))
                     .Add({.tenant = "chat", .wanted = GiB(16)})
                     .Add({.tenant = "jobs", .policy = {.tenant_class = TenantClass::kBatch}, .wanted = GiB(20)})),
            "tenant jobs has what is left to its class, 8.0 GiB of the 20.0 GiB it wants: tenant chat of class "
            "interactive comes first");
}

TEST(ExplainTest, ATurn) {
  const SessionSpec a = {
      .tenant = "a", .floor = GiB(16), .held = GiB(12), .wanted = GiB(16), .waiting = absl::Seconds(4)};
  EXPECT_EQ(Said(SnapshotBuilder(GiB(24)).Add(a).Add({.tenant = "b", .held = GiB(8), .wanted = GiB(16)})),
            "tenant b has less than its fair share, 8.0 GiB of the 16.0 GiB it wants: it is the turn of tenant a, one "
            "request of which needs 16.0 GiB");
}

TEST(ExplainTest, AReserve) {
  EXPECT_EQ(Said(SnapshotBuilder(GiB(24))
                     .Add({.tenant = "a", .policy = {.reserved = GiB(8)}})
                     .Add({.tenant = "b", .held = GiB(16), .wanted = GiB(20)})),
            "tenant b holds 16.0 GiB of the 20.0 GiB it wants: what is left is tenant a's reserve of 8.0 GiB");
}

TEST(ExplainTest, AGuarantee) {
  EXPECT_EQ(Said(SnapshotBuilder(GiB(24))
                     .Add({.tenant = "a", .policy = {.guarantee = GiB(8)}})
                     .Add({.tenant = "b", .held = GiB(16), .wanted = GiB(20)})),
            "tenant b holds 16.0 GiB of the 20.0 GiB it wants: what is left is tenant a's guarantee of 8.0 GiB, and "
            "could not be had back in time");
}

TEST(ExplainTest, WhatIsOnItsWay) {
  EXPECT_EQ(Said(SnapshotBuilder(GiB(24))
                     .Add({.tenant = "a", .held = GiB(24), .wanted = GiB(24)})
                     .Add({.tenant = "b", .wanted = GiB(8)})),
            "tenant b holds 0 MiB of the 8.0 GiB it wants and should have 8.0 GiB: 8.0 GiB are on their way back, "
            "most of it from tenant a");
}

TEST(ExplainTest, WhatIsImpossible) {
  EXPECT_EQ(Said(SnapshotBuilder(GiB(4)).Add({.tenant = "a", .wanted = GiB(8), .min_useful = 128})),
            "tenant a can use no less than 8.0 GiB more, and the device has 4.0 GiB");
}

TEST(ExplainTest, Room) {
  EXPECT_EQ(Said(SnapshotBuilder(GiB(24)).Add({.tenant = "a", .wanted = GiB(8)}).RoomShort(GiB(2))),
            "tenant a holds 0 MiB of the 8.0 GiB it wants: room for memory outside the broker comes first, 2.0 GiB of "
            "it are missing");
}

TEST(ExplainTest, AMissedTarget) {
  EXPECT_EQ(
      Said(SnapshotBuilder(GiB(24))
               .Add({.tenant = "b", .held = GiB(4), .wanted = GiB(20)})
               .Add({.tenant = "a", .held = GiB(18), .wanted = GiB(20), .target = GiB(12), .missed_target = true})),
      "tenant a does not grow: a session of it holds 18.0 GiB and was asked to hold 12.0 GiB");
}

TEST(ExplainTest, EveryVerdictHasASentenceAndAName) {
  for (uint64_t seed = 1; seed < 500; ++seed) {
    const PolicySnapshot snapshot = RandomSnapshot(seed, Numbers::kHostile);
    const PolicyPlan plan = FairPolicy().Plan(snapshot);
    for (size_t l = 0; l < snapshot.leases.size(); ++l) {
      EXPECT_THAT(Explain(snapshot, plan, l), ::testing::StartsWith("tenant "));
      EXPECT_NE(RuleName(plan.verdicts[l].rule), "unknown");
    }
  }
}

}  // namespace
}  // namespace kvbroker
