#include "tests/replay/growth_meter.h"

#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

constexpr double kMiB = 1 << 20;

TEST(GrowthMeterTest, CountsOnlyTheTimeInWhichMemoryCame) {
  GrowthMeter meter;
  meter.Look(absl::Seconds(0), MiB(0), false);
  meter.Look(absl::Seconds(10), MiB(0), false);
  meter.Look(absl::Seconds(11), MiB(100), false);
  meter.Look(absl::Seconds(20), MiB(100), false);
  EXPECT_EQ(meter.growing(), absl::Seconds(1));
  EXPECT_DOUBLE_EQ(meter.mean_rate(), 100 * kMiB);
}

TEST(GrowthMeterTest, CountsTheTimeInWhichGrantedMemoryWasOnItsWay) {
  GrowthMeter meter;
  meter.Look(absl::Seconds(0), MiB(0), true);
  meter.Look(absl::Seconds(1), MiB(0), true);
  meter.Look(absl::Seconds(2), MiB(100), false);
  EXPECT_DOUBLE_EQ(meter.mean_rate(), 50 * kMiB);
}

TEST(GrowthMeterTest, FindsTheBestStretch) {
  GrowthMeter meter;
  uint64_t mapped = 0;
  for (int ms = 0; ms <= 1000; ++ms) {
    if (ms > 300 && ms <= 400) ++mapped;
    meter.Look(absl::Milliseconds(ms), MiB(mapped), false);
  }
  EXPECT_DOUBLE_EQ(meter.best_rate(), 1000 * kMiB);
}

TEST(GrowthMeterTest, NothingGrownIsNoRate) {
  GrowthMeter meter;
  EXPECT_EQ(meter.mean_rate(), 0);
  meter.Look(absl::Seconds(0), MiB(5), false);
  meter.Look(absl::Seconds(1), MiB(5), false);
  EXPECT_EQ(meter.mean_rate(), 0);
  EXPECT_EQ(meter.best_rate(), 0);
  EXPECT_EQ(meter.mapped(), MiB(5));
}

}  // namespace
}  // namespace kvbroker::replay
