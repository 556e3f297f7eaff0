#include "broker/core/latency_histogram.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

TEST(LatencyHistogramTest, CountsWhatTookUpToABoundInItsBucketAndWhatTookLongerInTheLast) {
  LatencyHistogram histogram;
  histogram.Add(absl::ZeroDuration());
  histogram.Add(absl::Milliseconds(1));
  histogram.Add(absl::Milliseconds(1) + absl::Nanoseconds(1));
  histogram.Add(absl::Minutes(1));
  EXPECT_EQ(histogram.counts()[0], 2u);
  EXPECT_EQ(histogram.counts()[1], 1u);
  EXPECT_EQ(histogram.counts().back(), 1u);
  EXPECT_EQ(histogram.sum(), absl::Minutes(1) + absl::Milliseconds(2) + absl::Nanoseconds(1));
}

}  // namespace
}  // namespace kvbroker
