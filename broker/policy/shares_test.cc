#include "broker/policy/shares.h"

#include "broker/policy/testing/snapshot_builder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;

// All slots are of 1 GiB.
SessionSpec Holds(const char* tenant, uint64_t held, uint64_t idle, uint64_t wanted) {
  SessionSpec spec = {.tenant = tenant, .slot = GiB(1), .held = GiB(held), .wanted = GiB(wanted)};
  spec.holding.cached_by_age[2] = GiB(idle);
  spec.holding.cached_by_age[0] = GiB(held - idle);
  return spec;
}

Shares Of(const SnapshotBuilder& builder) { return ShareOut(SumUp(builder.Build()), std::nullopt); }

TEST(SharesTest, WhoUsesAllItHoldsIsOwedAllItIsEntitledTo) {
  SnapshotBuilder builder(GiB(24));
  builder.Add(Holds("a", 4, 0, 20)).Add(Holds("b", 20, 0, 20));
  const Shares shares = Of(builder);
  EXPECT_THAT(shares.entitled, ElementsAre(GiB(12), GiB(12)));
  EXPECT_EQ(shares.owed, shares.entitled);
}

TEST(SharesTest, IdleBytesThatWantNothingMoreCostTheSame) {
  SnapshotBuilder builder(GiB(30));
  builder.Add(Holds("a", 20, 20, 20)).Add(Holds("b", 10, 0, 30));
  const Shares shares = Of(builder);
  EXPECT_THAT(shares.entitled, ElementsAre(GiB(6), GiB(24)));
  EXPECT_EQ(shares.owed, shares.entitled);
}

// It held 20 GiB of them a moment ago, and would give them back again once they were granted.
TEST(SharesTest, WhoHoldsIdleBytesIsNotOwedWhatItCouldDoWithThose) {
  SnapshotBuilder builder(GiB(32));
  builder.Add(Holds("a", 10, 10, 20)).Add(Holds("b", 22, 0, 32));
  const Shares shares = Of(builder);
  EXPECT_EQ(shares.owed[0], GiB(10)) << "no more than it holds";
  EXPECT_GT(shares.entitled[0], GiB(10)) << "nobody asks it for more";
  EXPECT_EQ(shares.owed[1], shares.entitled[1]) << "what it is not owed is nobody else's due";
}

TEST(SharesTest, IdleBytesAreTakenForNoMoreWantsThanThereAreOfThem) {
  SnapshotBuilder builder(GiB(32));
  builder.Add(Holds("a", 1, 1, 30)).Add(Holds("b", 31, 0, 31));
  EXPECT_GT(Of(builder).owed[0], GiB(15));
}

TEST(SharesTest, WhatItNeedsToGetOnItIsOwed) {
  SnapshotBuilder builder(GiB(32));
  SessionSpec a = Holds("a", 10, 10, 20);
  a.floor = GiB(11);
  builder.Add(a).Add(Holds("b", 22, 0, 32));
  EXPECT_EQ(Of(builder).owed[0], GiB(11));
}

}  // namespace
}  // namespace kvbroker
