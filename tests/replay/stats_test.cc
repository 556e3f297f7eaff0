#include "tests/replay/stats.h"

#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

TEST(StatsTest, PercentilesAreValuesThatWereMeasured) {
  std::vector<double> values;
  for (int i = 200; i > 0; --i) values.push_back(i);
  const Summary summary = Summarize(values);
  EXPECT_EQ(summary.count, 200u);
  EXPECT_EQ(summary.p50, 100);
  EXPECT_EQ(summary.p99, 198);
  EXPECT_EQ(summary.max, 200);
  EXPECT_EQ(summary.mean, 100.5);
}

TEST(StatsTest, OneValueIsEveryPercentile) {
  const Summary summary = Summarize({7});
  EXPECT_EQ(summary.p50, 7);
  EXPECT_EQ(summary.p99, 7);
}

TEST(StatsTest, NothingMeasuredIsAllZero) {
  EXPECT_EQ(Summarize({}).count, 0u);
  EXPECT_EQ(Summarize({}).p99, 0);
}

}  // namespace
}  // namespace kvbroker::replay
