#include "tests/replay/holding.h"

#include "gtest/gtest.h"
#include "tests/replay/fake_slots.h"
#include "tests/replay/host_pattern.h"

namespace kvbroker::replay {
namespace {

constexpr Bytes kSlot = Bytes(128);

// Slots of two blocks.
class HoldingTest : public ::testing::Test {
 protected:
  std::vector<FilledBlock> Take(uint64_t count) {
    const auto blocks = store_.Take(count, absl::ZeroDuration(), absl::ZeroDuration());
    EXPECT_TRUE(store_.Fill().ok());
    return **blocks;
  }

  BlockLayout layout_ = *BlockLayout::Create(Bytes(16), 4, kSlot);
  FakeSlots slots_{8, kSlot};
  BlockPool pool_{layout_, slots_};
  HostPattern pattern_{layout_.block()};
  BlockStore store_{{.keep = true}, 1, pool_, pattern_};
};

TEST(AgeClassTest, GoesByTheBoundsOfTheReport) {
  EXPECT_EQ(AgeClassOf(absl::ZeroDuration()), 0u);
  EXPECT_EQ(AgeClassOf(absl::Seconds(1)), 0u);
  EXPECT_EQ(AgeClassOf(absl::Seconds(1.01)), 1u);
  EXPECT_EQ(AgeClassOf(absl::Minutes(1)), 3u);
  EXPECT_EQ(AgeClassOf(absl::Hours(1)), 6u);
  EXPECT_EQ(AgeClassOf(absl::Hours(2)), 7u);
}

TEST_F(HoldingTest, CountsWholeSlotsByTheDearestInThem) {
  slots_.Add(5);
  const std::vector<FilledBlock> blocks = Take(7);
  ASSERT_TRUE(store_.Finish({blocks[0], blocks[2]}, absl::Seconds(10)).ok());  // a part of slot 0, and of slot 1
  ASSERT_TRUE(store_.Finish({blocks[3], blocks[4]}, absl::Seconds(15)).ok());
  ASSERT_TRUE(store_.Free({blocks[5]}).ok());
  const HoldingReport report = HoldingOf(store_, absl::Seconds(17));
  EXPECT_EQ(report.preemptible, kSlot * 2) << "slots 0 and 3: some request's block is in them";
  EXPECT_EQ(report.cached_by_age[1], kSlot * 2) << "slot 1 by its younger block; slot 2 though half of it is free";
  EXPECT_EQ(report.cached_by_age[2], Bytes(0));
  EXPECT_EQ(report.free, Bytes(0)) << "slot 4 is nobody's, and the library's to report";
}

TEST_F(HoldingTest, ALiarCallsEverythingOldCache) {
  slots_.Add(2);
  Take(3);
  const HoldingReport report = PretendedHoldingOf(store_);
  EXPECT_EQ(report.cached_by_age.back(), kSlot * 2);
  EXPECT_EQ(report.preemptible, Bytes(0));
  EXPECT_FALSE(SameHolding(report, HoldingOf(store_, absl::Seconds(1))));
}

}  // namespace
}  // namespace kvbroker::replay
