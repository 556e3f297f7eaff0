#include "broker/policy/testing/max_min_oracle.h"

#include <vector>

#include "broker/policy/testing/snapshot_builder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;

TEST(MaxMinOracleTest, SharesByClassAndWeight) {
  const PolicySnapshot snapshot =
      SnapshotBuilder(GiB(24))
          .Add({.tenant = "a", .policy = {.weight = 300}, .wanted = GiB(12)})
          .Add({.tenant = "b", .wanted = GiB(20)})
          .Add({.tenant = "c", .policy = {.guarantee = GiB(8), .tenant_class = TenantClass::kBatch}, .wanted = GiB(9)})
          .Build();
  EXPECT_THAT(EntitledByQuanta(snapshot, std::nullopt, MiB(64)), ElementsAre(GiB(12), GiB(4), GiB(8)));
}

TEST(MaxMinOracleTest, ATurnComesFirst) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .wanted = GiB(20)})
                                      .Add({.tenant = "b", .floor = GiB(16), .wanted = GiB(20)})
                                      .Build();
  EXPECT_THAT(EntitledByQuanta(snapshot, 1, MiB(64)), ElementsAre(GiB(8), GiB(16)));
}

}  // namespace
}  // namespace kvbroker
