#include "tests/replay/share_meter.h"

#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

TEST(ShareMeterTest, CountsWhatIsNeededOnlyWhileBusy) {
  ShareMeter meter;
  meter.Look(absl::Seconds(0), false, Bytes(50), Bytes(0));
  meter.Look(absl::Seconds(10), true, Bytes(50), Bytes(100));
  meter.Look(absl::Seconds(12), true, Bytes(150), Bytes(100));
  meter.Look(absl::Seconds(13), false, Bytes(150), Bytes(100));
  meter.Look(absl::Seconds(20), false, Bytes(0), Bytes(0));
  EXPECT_DOUBLE_EQ(meter.needed(), 300);
  EXPECT_DOUBLE_EQ(meter.held(), 200) << "of 150 held only the 100 needed count";
}

TEST(JainIndexTest, IsOneForEqualsAndOneOfAllForOneThatHasAll) {
  EXPECT_DOUBLE_EQ(JainIndex({0.5, 0.5, 0.5}), 1);
  EXPECT_DOUBLE_EQ(JainIndex({1, 0, 0, 0}), 0.25);
  EXPECT_DOUBLE_EQ(JainIndex({1, 0.5}), 0.9);
  EXPECT_DOUBLE_EQ(JainIndex({}), 1);
}

}  // namespace
}  // namespace kvbroker::replay
