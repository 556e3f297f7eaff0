#include "tests/replay/load.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

size_t CountIn(const std::vector<Request>& requests, absl::Duration from, absl::Duration to) {
  return std::count_if(requests.begin(), requests.end(),
                       [&](const Request& request) { return request.arrival >= from && request.arrival < to; });
}

bool InOrder(const std::vector<Request>& requests) {
  return std::is_sorted(requests.begin(), requests.end(),
                        [](const Request& a, const Request& b) { return a.arrival < b.arrival; });
}

TEST(LoadTest, RampClimbsToThePeakAndFalls) {
  const auto requests = GenerateLoad({.peak_rate = 20, .ramp = absl::Seconds(30)}, 0, 1);
  EXPECT_EQ(requests.size(), 600u);
  EXPECT_TRUE(InOrder(requests));
  EXPECT_LE(CountIn(requests, absl::Seconds(0), absl::Seconds(1)), 1u);
  EXPECT_NEAR(CountIn(requests, absl::Seconds(29.5), absl::Seconds(30.5)), 20, 1);
  EXPECT_LE(CountIn(requests, absl::Seconds(59), absl::Seconds(60)), 1u);
  EXPECT_EQ(CountIn(requests, absl::Seconds(60), absl::InfiniteDuration()), 0u);
}

TEST(LoadTest, RampsFollowOneAnotherUnlessTheyOverlap) {
  LoadOptions options{.peak_rate = 10, .ramp = absl::Seconds(10)};
  EXPECT_GE(GenerateLoad(options, 1, 3).front().arrival, absl::Seconds(20));
  options.overlap = 0.5;
  EXPECT_LT(GenerateLoad(options, 1, 3).front().arrival, absl::Seconds(12));
  options.overlap = 1;
  EXPECT_EQ(GenerateLoad(options, 1, 3), GenerateLoad(options, 0, 3));
}

TEST(LoadTest, PoissonKeepsTheRateAndTheSeedDecides) {
  LoadOptions options{
      .pattern = LoadOptions::Pattern::kPoisson, .peak_rate = 50, .duration = absl::Seconds(100), .seed = 3};
  const auto requests = GenerateLoad(options, 0, 2);
  EXPECT_NEAR(requests.size(), 5000, 300);
  EXPECT_TRUE(InOrder(requests));
  EXPECT_EQ(requests, GenerateLoad(options, 0, 2));
  EXPECT_NE(requests, GenerateLoad(options, 1, 2));
  options.seed = 4;
  EXPECT_NE(requests, GenerateLoad(options, 0, 2));
}

TEST(LoadTest, BurstsTakeTurns) {
  const LoadOptions options{.pattern = LoadOptions::Pattern::kBurst,
                            .peak_rate = 50,
                            .duration = absl::Seconds(60),
                            .burst_on = absl::Seconds(5),
                            .burst_off = absl::Seconds(15)};
  const auto second = GenerateLoad(options, 1, 2);
  EXPECT_EQ(CountIn(second, absl::Seconds(0), absl::Seconds(10)), 0u);
  EXPECT_NEAR(CountIn(second, absl::Seconds(10), absl::Seconds(15)), 250, 60);
  EXPECT_EQ(CountIn(second, absl::Seconds(15), absl::Seconds(30)), 0u);
}

TEST(LoadTest, NoRateNoRequests) { EXPECT_TRUE(GenerateLoad({.peak_rate = 0}, 0, 1).empty()); }

}  // namespace
}  // namespace kvbroker::replay
