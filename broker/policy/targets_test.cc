#include "broker/policy/targets.h"

#include <vector>

#include "broker/policy/testing/snapshot_builder.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

// The targets when each tenant should have 4 GiB and the sessions are asked for so much.
std::vector<PolicyPlan::Target> Targets(const PolicySnapshot& snapshot, const std::vector<Bytes>& ask,
                                        Purpose purpose = Purpose::kShareOfInteractive, Bytes missing = GiB(1)) {
  Shortage shortage;
  shortage.needed[static_cast<size_t>(purpose)] = missing;
  shortage.tenant[static_cast<size_t>(purpose)] = 0;
  const std::vector<Bytes> entitled(snapshot.tenants.size(), GiB(4));
  return MakeTargets(SumUp(snapshot), entitled, shortage, {.ask = ask});
}

TEST(TargetsTest, WhoIsAskedHasALowerTargetAndTheReason) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24)).Add({.tenant = "a", .held = GiB(8)}).Build();
  const PolicyPlan::Target share = Targets(snapshot, {GiB(3)})[0];
  EXPECT_EQ(share.max, GiB(5));
  EXPECT_EQ(share.within, kUsualDeadline);
  EXPECT_FALSE(share.urgent);
  EXPECT_EQ(share.reason, "tenant a's share");
  const PolicyPlan::Target turn = Targets(snapshot, {GiB(3)}, Purpose::kTurn)[0];
  EXPECT_TRUE(turn.urgent);
  EXPECT_EQ(turn.reason, "the turn of tenant a");
  EXPECT_EQ(Targets(snapshot, {GiB(3)}, Purpose::kReserve)[0].reason, "for tenant a's reserve");
}

TEST(TargetsTest, WhoIsNotAskedHasItsLimit) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .held = GiB(8)})
                                      .Add({.tenant = "b", .policy = {.limit = GiB(9)}, .held = GiB(8)})
                                      .Build();
  EXPECT_EQ(Targets(snapshot, {Bytes(), Bytes()})[0].max, std::nullopt);
  EXPECT_EQ(Targets(snapshot, {Bytes(), Bytes()})[1].max, GiB(9));
  EXPECT_EQ(Targets(snapshot, {Bytes(), Bytes()})[1].reason, "limit of tenant b, 9 GiB");
}

TEST(TargetsTest, ATargetThatIsMetStaysWhileMemoryIsShort) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24)).Add({.tenant = "a", .held = GiB(5), .target = GiB(5)}).Build();
  EXPECT_EQ(Targets(snapshot, {Bytes()})[0].max, GiB(5));
  EXPECT_EQ(Targets(snapshot, {Bytes()}, Purpose::kShareOfBatch, Bytes())[0].max, std::nullopt);
}

TEST(TargetsTest, ATargetIsLiftedWhereItsTenantShouldHaveMore) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24)).Add({.tenant = "a", .held = GiB(3), .target = GiB(3)}).Build();
  EXPECT_EQ(Targets(snapshot, {Bytes()})[0].max, std::nullopt);
}

}  // namespace
}  // namespace kvbroker
