#include "broker/policy/eviction.h"

#include "broker/policy/testing/snapshot_builder.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

// 100 GiB, of which 97 are held: 2 cached over 1 h ago, 3 over 4 min, the others a moment ago.
PolicySnapshot Full() {
  Holding holding;
  holding.cached_by_age = {GiB(92), Bytes(), Bytes(), Bytes(), GiB(0), GiB(3), Bytes(), GiB(2)};
  return SnapshotBuilder(GiB(100)).Add({.tenant = "a", .held = GiB(97), .holding = holding}).Build();
}

std::optional<absl::Duration> Age(Bytes available, Bytes missing) {
  const PolicySnapshot snapshot = Full();
  return EvictionAge(SumUp(snapshot), available, missing);
}

TEST(EvictionAgeTest, NoneWhileEnoughIsFree) {
  EXPECT_EQ(Age(GiB(3), Bytes()), std::nullopt);
  EXPECT_EQ(Age(GiB(4), GiB(1)), std::nullopt);
}

TEST(EvictionAgeTest, TheOldestThatWillDo) {
  EXPECT_EQ(Age(GiB(2), Bytes()), absl::Hours(1));
  EXPECT_EQ(Age(GiB(1), GiB(1)), absl::Minutes(4));
  EXPECT_EQ(Age(Bytes(), GiB(3)), absl::Minutes(4));
}

TEST(EvictionAgeTest, NeverWhatWasUsedWithinASecond) { EXPECT_EQ(Age(Bytes(), GiB(50)), absl::Seconds(1)); }

}  // namespace
}  // namespace kvbroker
