#include "tests/replay/demand.h"

#include "gtest/gtest.h"
#include "tests/replay/load.h"

namespace kvbroker::replay {
namespace {

TEST(DemandTest, OneRequestTakesItsTokensAndItsTime) {
  const BlockLayout layout = *BlockLayout::Create(KiB(128), 16, MiB(2));
  const Demand demand = DemandOf({}, {{absl::Seconds(3600), 256, 256}}, layout, absl::Milliseconds(25));
  EXPECT_EQ(demand.peak, MiB(64));
  EXPECT_EQ(demand.ends, absl::Seconds(3600) + 257 * absl::Milliseconds(25));
}

TEST(DemandTest, FollowsLittlesLaw) {
  const BlockLayout layout = *BlockLayout::Create(KiB(128), 16, MiB(2));
  const auto requests =
      GenerateLoad({.pattern = LoadOptions::Pattern::kPoisson, .peak_rate = 20, .duration = absl::Seconds(30)}, 0, 1);
  const Demand demand = DemandOf({}, requests, layout, absl::Milliseconds(25));
  // 20 requests a second, 6.4 s each, 48 MiB on average: 6 GiB.
  EXPECT_GT(demand.peak, GiB(6));
  EXPECT_LT(demand.peak, GiB(8));
}

}  // namespace
}  // namespace kvbroker::replay
