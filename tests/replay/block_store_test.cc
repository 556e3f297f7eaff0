#include "tests/replay/block_store.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/replay/fake_slots.h"
#include "tests/replay/host_pattern.h"

namespace kvbroker::replay {
namespace {

constexpr absl::Duration kNoWait = absl::ZeroDuration();

// Slots of two blocks of 64 bytes.
class BlockStoreTest : public ::testing::Test {
 protected:
  // What a request took and is done with at `second`.
  std::vector<FilledBlock> Cache(uint64_t count, int second) {
    const std::vector<FilledBlock> blocks = Take(count, second);
    EXPECT_TRUE(store_.Finish(blocks, absl::Seconds(second)).ok());
    return blocks;
  }
  std::vector<FilledBlock> Take(uint64_t count, int second) {
    auto blocks = store_.Take(count, kNoWait, absl::Seconds(second));
    EXPECT_TRUE(blocks.ok() && blocks->has_value());
    EXPECT_TRUE(store_.Fill().ok());
    return (*blocks)->empty() ? std::vector<FilledBlock>() : **blocks;
  }
  bool CouldTake(uint64_t count, absl::Duration waited, int second) {
    return store_.Take(count, waited, absl::Seconds(second))->has_value();
  }

  BlockLayout layout_ = *BlockLayout::Create(Bytes(16), 4, Bytes(128));
  FakeSlots slots_{8, Bytes(128)};
  BlockPool pool_{layout_, slots_};
  HostPattern pattern_{layout_.block()};
  BlockStore store_{{.keep = true, .max_blocks = 6, .grow_within = absl::Milliseconds(20)}, 1, pool_, pattern_};
};

TEST_F(BlockStoreTest, KeepsWhatRequestsLeaveBehindAndVerifiesItLater) {
  slots_.Add(2);
  Cache(3, 1);
  EXPECT_EQ(store_.cache().size(), 3u);
  EXPECT_EQ(slots_.taken(), 2u);
  EXPECT_EQ(store_.counts().verified, 0u);
  reinterpret_cast<uint64_t*>(slots_.base())[9] ^= 1;
  ASSERT_TRUE(store_.FreeCache().ok());
  EXPECT_EQ(store_.counts().verified, 3u);
  EXPECT_EQ(store_.counts().wrong_words, 1u) << "spoilt while it was cached";
  EXPECT_EQ(slots_.taken(), 0u);
}

TEST_F(BlockStoreTest, KeepsNothingUnlessToldTo) {
  slots_.Add(2);
  BlockStore store({}, 1, pool_, pattern_);
  const auto blocks = **store.Take(3, kNoWait, kNoWait);
  ASSERT_TRUE(store.Fill().ok());
  ASSERT_TRUE(store.Finish(blocks, absl::Seconds(1)).ok());
  EXPECT_EQ(store.counts().verified, 3u);
  EXPECT_EQ(slots_.taken(), 0u);
}

TEST_F(BlockStoreTest, KeepsNoMoreThanItsBound) {
  slots_.Add(8);
  const uint64_t oldest = Cache(4, 1)[0].seed;
  Cache(4, 2);
  EXPECT_EQ(store_.cache().size(), 6u);
  EXPECT_EQ(store_.counts().evicted, 2u);
  EXPECT_NE(Cache(0, 3).size(), 1u);
  EXPECT_NE(oldest, Take(1, 3)[0].seed);
}

TEST_F(BlockStoreTest, TakesFreeAndReadyBlocksBeforeItEvicts) {
  slots_.Add(4);
  slots_.SetMayGrow(false);
  Cache(3, 1);
  Take(5, 2);
  EXPECT_EQ(store_.counts().evicted, 0u);
  Take(2, 2);
  EXPECT_EQ(store_.counts().evicted, 2u);
}

TEST_F(BlockStoreTest, WaitsForGrowthALittleBeforeItEvicts) {
  slots_.Add(2);
  Cache(4, 1);
  EXPECT_FALSE(CouldTake(2, absl::Milliseconds(19), 2));
  EXPECT_TRUE(CouldTake(2, absl::Milliseconds(20), 2));
  EXPECT_EQ(store_.counts().evicted, 2u);
}

TEST_F(BlockStoreTest, OnceGrowthDidNotComeNobodyElseWaitsForItButItIsStillWanted) {
  slots_.Add(2);
  Cache(4, 1);
  EXPECT_TRUE(CouldTake(1, absl::Milliseconds(20), 2));
  EXPECT_TRUE(CouldTake(1, kNoWait, 2));
  ASSERT_TRUE(store_.Need(0, 0, absl::Seconds(2)).ok());
  EXPECT_EQ(slots_.wanted(), 2 + 1u) << "in place of two blocks";
  slots_.Add(1);
  EXPECT_TRUE(CouldTake(1, kNoWait, 2));
  ASSERT_TRUE(store_.Need(0, 0, absl::Seconds(2)).ok());
  EXPECT_EQ(slots_.wanted(), 0u) << "it came";
  EXPECT_EQ(store_.cache().size(), 2u);
  EXPECT_TRUE(CouldTake(1, kNoWait, 2));
  EXPECT_FALSE(CouldTake(1, kNoWait, 3)) << "it waits again";
}

TEST_F(BlockStoreTest, EvictsNothingWhereThatIsNotEnough) {
  slots_.Add(2);
  slots_.SetMayGrow(false);
  Cache(4, 1);
  EXPECT_FALSE(CouldTake(5, absl::Seconds(1), 2));
  EXPECT_EQ(store_.cache().size(), 4u);
}

TEST_F(BlockStoreTest, EvictsOldCacheRatherThanBeginASlot) {
  slots_.Add(8);
  Cache(2, 1);
  Cache(2, 5);
  store_.SetEvictionAge(absl::Seconds(4));
  Take(4, 6);
  EXPECT_EQ(store_.counts().evicted, 2u) << "that of second 1; the other is young enough to grow past";
  EXPECT_EQ(store_.cache().size(), 2u);
}

TEST_F(BlockStoreTest, WantsNothingInPlaceOfOldCache) {
  slots_.Add(2);
  Cache(4, 1);
  ASSERT_TRUE(store_.Need(4, 2, absl::Seconds(6)).ok());
  EXPECT_EQ(slots_.wanted(), 2 + 2u) << "it grows rather than evict";
  EXPECT_EQ(slots_.min_new(), 0u) << "the first could have cached blocks";
  EXPECT_EQ(store_.slots_needed(), 2u) << "it could evict instead";
  ASSERT_TRUE(store_.Need(7, 2, absl::Seconds(6)).ok());
  EXPECT_EQ(store_.slots_needed(), 4u);
  store_.SetEvictionAge(absl::Seconds(4));
  ASSERT_TRUE(store_.Need(4, 2, absl::Seconds(6)).ok());
  EXPECT_EQ(slots_.wanted(), 0u);
}

TEST_F(BlockStoreTest, GivesUpWholeSlotsOldestFirstAndNoneThatIsInUse) {
  slots_.Add(4);
  const std::vector<FilledBlock> used = Take(1, 1);
  Cache(1, 1);  // beside it
  Cache(2, 3);
  Cache(2, 2);
  store_.SetShrinking(true);
  EXPECT_EQ(*store_.EvictSlots(1), 1u);
  EXPECT_EQ(slots_.retired(), 1u);
  EXPECT_FALSE(store_.cache().by_slot().contains(2)) << "of second 2";
  EXPECT_EQ(*store_.EvictSlots(9), 1u);
  EXPECT_EQ(store_.cache().size(), 1u);
  EXPECT_EQ(store_.counts().evicted, 4u);
}

}  // namespace
}  // namespace kvbroker::replay
