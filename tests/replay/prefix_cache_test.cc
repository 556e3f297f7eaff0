#include "tests/replay/prefix_cache.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

FilledBlock BlockOf(uint64_t slot, uint64_t index) { return {{.slot = slot, .index = index}, slot * 10 + index}; }

std::vector<uint64_t> SeedsOf(const std::vector<FilledBlock>& blocks) {
  std::vector<uint64_t> seeds;
  for (const FilledBlock& block : blocks) seeds.push_back(block.seed);
  return seeds;
}

// Slot 1 has blocks of seconds 1 and 3, slot 2 one of second 2.
class PrefixCacheTest : public ::testing::Test {
 protected:
  PrefixCacheTest() {
    cache_.Add({BlockOf(1, 0), BlockOf(1, 3)}, absl::Seconds(1));
    cache_.Add({BlockOf(2, 1)}, absl::Seconds(2));
    cache_.Add({BlockOf(1, 2)}, absl::Seconds(3));
  }

  PrefixCache cache_;
};

TEST_F(PrefixCacheTest, GivesTheOldestFirst) {
  EXPECT_THAT(SeedsOf(cache_.TakeOldest(3)), ElementsAre(10, 13, 21));
  EXPECT_EQ(cache_.size(), 1u);
  EXPECT_THAT(SeedsOf(cache_.TakeOldest(9)), ElementsAre(12));
  EXPECT_THAT(cache_.by_slot(), IsEmpty());
}

TEST_F(PrefixCacheTest, GivesNoneThatWasUsedSince) {
  EXPECT_EQ(cache_.CountUnusedSince(absl::Seconds(2)), 2u);
  EXPECT_THAT(SeedsOf(cache_.TakeUnusedSince(absl::Seconds(2), 9)), ElementsAre(10, 13));
  EXPECT_THAT(SeedsOf(cache_.TakeUnusedSince(absl::Seconds(9), 1)), ElementsAre(21));
  EXPECT_THAT(cache_.TakeUnusedSince(-absl::InfiniteDuration(), 9), IsEmpty());
}

TEST_F(PrefixCacheTest, ASlotIsAsYoungAsItsYoungestBlock) {
  EXPECT_EQ(cache_.by_slot().at(1).last_use, absl::Seconds(3));
  EXPECT_EQ(cache_.by_slot().at(1).blocks, 3u);
  cache_.TakeOldest(1);
  EXPECT_EQ(cache_.by_slot().at(1).last_use, absl::Seconds(3));
  EXPECT_EQ(cache_.by_slot().at(1).blocks, 2u);
}

TEST_F(PrefixCacheTest, GivesWholeSlots) {
  const uint64_t slots[] = {1, 7};
  EXPECT_THAT(SeedsOf(cache_.TakeSlots(slots)), ElementsAre(10, 12, 13));
  EXPECT_EQ(cache_.size(), 1u);
  EXPECT_FALSE(cache_.by_slot().contains(1));
  EXPECT_THAT(SeedsOf(cache_.TakeOldest(9)), ElementsAre(21));
}

}  // namespace
}  // namespace kvbroker::replay
