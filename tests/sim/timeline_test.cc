#include "tests/sim/timeline.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::sim {
namespace {

using ::testing::ElementsAre;

TEST(TimelineTest, ThingsHappenInTheirOrder) {
  Timeline timeline;
  std::vector<int> done;
  timeline.After(absl::Seconds(2), [&] { done.push_back(3); });
  timeline.After(absl::Seconds(1), [&] { done.push_back(1); });
  timeline.After(absl::Seconds(1), [&] { done.push_back(2); });
  while (timeline.Next()) {
  }
  EXPECT_THAT(done, ElementsAre(1, 2, 3));
}

TEST(ChannelTest, KeepsItsOrderWhateverTheDelays) {
  Timeline timeline;
  Rng rng(1);
  Channel channel(timeline, rng, absl::Seconds(1));
  std::vector<int> arrived;
  for (int i = 0; i < 5; ++i) channel.Send([&arrived, i] { arrived.push_back(i); });
  while (timeline.Next()) {
  }
  EXPECT_THAT(arrived, ElementsAre(0, 1, 2, 3, 4));
}

TEST(RngTest, TheSameSeedGivesTheSame) {
  Rng a(7), b(7), c(8);
  EXPECT_EQ(a.Next(), b.Next());
  EXPECT_NE(a.Next(), c.Next());
}

}  // namespace
}  // namespace kvbroker::sim
