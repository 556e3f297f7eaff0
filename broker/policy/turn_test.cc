#include "broker/policy/turn.h"

#include <string>
#include <vector>

#include "broker/policy/testing/snapshot_builder.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

// Three that want 16 GiB for a request each and would have 8 of 24; they wait in the order of their names.
SnapshotBuilder ThreeThatStarve(TenantPolicy policy_of_c = {}) {
  SnapshotBuilder builder(GiB(24));
  for (const char* name : {"a", "b", "c"}) {
    builder.Add({.tenant = name,
                 .policy = name == std::string("c") ? policy_of_c : TenantPolicy(),
                 .floor = GiB(16),
                 .held = GiB(8),
                 .wanted = GiB(16),
                 .waiting = absl::Seconds(3)});
  }
  return builder;
}

std::optional<size_t> Choose(const PolicySnapshot& snapshot) {
  return ChooseTurn(SumUp(snapshot), std::vector<Bytes>(snapshot.tenants.size(), GiB(8)));
}

TEST(ChooseTurnTest, WhoWaitsLongestIsFirst) { EXPECT_EQ(Choose(ThreeThatStarve().Build()), 0u); }

TEST(ChooseTurnTest, AHolderKeepsItsTurnForAWhileAndComesLastThen) {
  EXPECT_EQ(Choose(ThreeThatStarve().Turn("b", kLongestTurn - absl::Seconds(1)).Build()), 1u);
  EXPECT_EQ(Choose(ThreeThatStarve().Turn("b", kLongestTurn).Build()), 0u);
}

TEST(ChooseTurnTest, WhoseLastTurnIsLongestAgoIsNext) {
  PolicySnapshot snapshot = ThreeThatStarve().Turn("b", kLongestTurn).Build();
  snapshot.tenants[0].last_turn = 1;
  snapshot.tenants[1].last_turn = 2;
  EXPECT_EQ(Choose(snapshot), 2u);
}

TEST(ChooseTurnTest, AHolderThatNeedsNoMoreThanItsShareGivesItsTurnUp) {
  PolicySnapshot snapshot = ThreeThatStarve().Turn("b", absl::Seconds(1)).Build();
  snapshot.leases[1].wanted = GiB(8) / MiB(64);
  EXPECT_EQ(Choose(snapshot), 0u);
}

TEST(ChooseTurnTest, AWholeTurnEndsWhereSomebodyWaitsForAShareAndIsFollowedByARest) {
  PolicySnapshot snapshot = ThreeThatStarve().Turn("b", kLongestTurn).Build();
  for (const size_t other : {0, 2}) {
    snapshot.tenants[other].floor = GiB(8);  // they need no turn
    snapshot.leases[other].waiting = absl::ZeroDuration();
  }
  EXPECT_EQ(Choose(snapshot), 1u) << "nobody waits";
  snapshot.leases[0].waiting = absl::Seconds(3);
  snapshot.leases[0].held = GiB(7) / MiB(64);
  snapshot.sessions[0].charged = snapshot.tenants[0].charged = GiB(7);
  EXPECT_EQ(Choose(snapshot), std::nullopt);
  snapshot.turn.reset();
  EXPECT_EQ(Choose(snapshot), 1u);
  snapshot.tenants[1].rests = true;
  EXPECT_EQ(Choose(snapshot), std::nullopt);
}

TEST(ChooseTurnTest, ShortWaitsAreNotStarving) {
  PolicySnapshot snapshot = ThreeThatStarve().Build();
  for (PolicySnapshot::Lease& lease : snapshot.leases) lease.waiting = kAgeingStep;
  EXPECT_EQ(Choose(snapshot), std::nullopt);
}

TEST(ChooseTurnTest, WhoHasWhatItNeedsDoesNotStarve) {
  PolicySnapshot snapshot = ThreeThatStarve().Build();
  for (PolicySnapshot::Tenant& tenant : snapshot.tenants) tenant.floor = GiB(8);
  EXPECT_EQ(Choose(snapshot), std::nullopt);
}

TEST(ChooseTurnTest, ATurnThatWouldNotHelpIsNotGiven) {
  EXPECT_EQ(Choose(ThreeThatStarve({.guarantee = GiB(9)}).Build()), 2u);
}

TEST(ChooseTurnTest, ATurnDoesNotCountOnWhatOthersPinned) {
  PolicySnapshot snapshot = ThreeThatStarve().Build();
  snapshot.sessions[2].holding.pinned = GiB(8);
  EXPECT_EQ(Choose(snapshot), 0u);
  snapshot.sessions[1].holding.pinned = MiB(64);
  EXPECT_EQ(Choose(snapshot), 1u);  // its own pins are no obstacle to itself
}

}  // namespace
}  // namespace kvbroker
