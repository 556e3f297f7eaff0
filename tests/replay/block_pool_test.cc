#include "tests/replay/block_pool.h"

#include <set>

#include "gtest/gtest.h"
#include "tests/replay/fake_slots.h"

namespace kvbroker::replay {
namespace {

// Slots of four blocks of 16 tokens, 64 bytes each token.
const BlockLayout& Layout() {
  static const BlockLayout layout = *BlockLayout::Create(Bytes(64), 16, KiB(4));
  return layout;
}

class BlockPoolTest : public ::testing::Test {
 protected:
  std::vector<Block> Take(uint64_t count) { return pool_.Take(count)->value(); }

  FakeSlots slots_{10, KiB(4)};
  BlockPool pool_{Layout(), slots_};
};

TEST(BlockLayoutTest, CountsBlocksAndSlots) {
  EXPECT_EQ(Layout().blocks_per_slot(), 4u);
  EXPECT_EQ(Layout().BlocksFor(0), 0u);
  EXPECT_EQ(Layout().BlocksFor(16), 1u);
  EXPECT_EQ(Layout().BlocksFor(17), 2u);
  EXPECT_EQ(Layout().SlotsFor(5), 2u);
}

TEST(BlockLayoutTest, RefusesBlocksThatFitNoSlot) {
  EXPECT_EQ(BlockLayout::Create(KiB(128), 16, MiB(1)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(BlockLayout::Create(Bytes(1), 17, MiB(1)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(BlockLayout::Create(Bytes(0), 16, MiB(1)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(BlockPoolTest, BlocksLieApartInsideTheirSlots) {
  slots_.Add(3);
  std::set<uint64_t> addresses;
  for (const Block& block : Take(9)) {
    EXPECT_EQ(block.address, slots_.base() + block.slot * 4096 + block.index * 1024);
    EXPECT_TRUE(addresses.insert(block.address).second);
  }
  EXPECT_EQ(slots_.taken(), 3u);
  EXPECT_EQ(pool_.free_blocks(), 3u);
}

TEST_F(BlockPoolTest, TakesAllOrNothing) {
  slots_.Add(1);
  EXPECT_EQ(*pool_.Take(5), std::nullopt);
  EXPECT_EQ(slots_.taken(), 0u);
  EXPECT_EQ(pool_.blocks_in_use(), 0u);
  EXPECT_EQ(Take(4).size(), 4u);
}

TEST_F(BlockPoolTest, GivesASlotBackWhenItsLastBlockIsFree) {
  slots_.Add(2);
  const std::vector<Block> blocks = Take(5);
  ASSERT_TRUE(pool_.Free(absl::MakeSpan(blocks).subspan(0, 3)).ok());
  EXPECT_EQ(slots_.taken(), 2u);
  ASSERT_TRUE(pool_.Free(absl::MakeSpan(blocks).subspan(3)).ok());
  EXPECT_EQ(slots_.taken(), 0u);
  EXPECT_EQ(pool_.free_blocks(), 0u);
}

TEST_F(BlockPoolTest, FillsLowSlotsFirstSoThatHighOnesDrain) {
  slots_.Add(3);
  const std::vector<Block> blocks = Take(9);
  ASSERT_TRUE(pool_.Free({blocks[1], blocks[5]}).ok());
  EXPECT_EQ(Take(1)[0].address, blocks[1].address);
  EXPECT_EQ(Take(1)[0].address, blocks[5].address);
  EXPECT_EQ(Take(1)[0].slot, 2u);
}

TEST_F(BlockPoolTest, WantsWhatIsMissingAndNothingOnceItIsThere) {
  slots_.Add(1);
  const std::vector<Block> blocks = Take(3);
  ASSERT_TRUE(pool_.Need(10, 4).ok());
  EXPECT_EQ(slots_.wanted(), 1 + 3u);  // one of ten blocks is free, nine fill three slots
  EXPECT_EQ(slots_.min_new(), 1u);     // the first needs three more blocks
  ASSERT_TRUE(pool_.Need(1, 1).ok());
  EXPECT_EQ(slots_.wanted(), 0u);
  ASSERT_TRUE(pool_.Need(1000, 1).ok());
  EXPECT_EQ(slots_.wanted(), slots_.slots());
  EXPECT_EQ(slots_.min_new(), 0u) << "one block is free";
}

TEST_F(BlockPoolTest, NeedsNoSlotsForWhatCanBeEvicted) {
  slots_.Add(2);
  const std::vector<Block> blocks = Take(8);
  ASSERT_TRUE(pool_.Need(9, 9, 4).ok());
  EXPECT_EQ(slots_.wanted(), 2 + 3u);
  EXPECT_EQ(slots_.min_new(), 2u);
  EXPECT_EQ(pool_.MissingSlots(9), 3u);
}

TEST_F(BlockPoolTest, AsksForAllOfWhatCannotBeHad) {
  slots_.Add(2);
  slots_.SetMost(4);
  const std::vector<Block> blocks = Take(1);
  ASSERT_TRUE(pool_.Need(17, 17, 40).ok());
  EXPECT_EQ(slots_.min_new(), 5u);
  EXPECT_EQ(slots_.wanted(), 1 + 1 + 5u);
}

TEST_F(BlockPoolTest, ShrinkingItBeginsNoSlotAndRetiresTheEmpty) {
  slots_.Add(3);
  const std::vector<Block> blocks = Take(6);
  pool_.SetShrinking(true);
  EXPECT_EQ(*pool_.Take(3), std::nullopt) << "two are free";
  EXPECT_EQ(Take(2).size(), 2u);
  EXPECT_FALSE(pool_.may_grow());
  ASSERT_TRUE(pool_.Free(absl::MakeSpan(blocks).subspan(0, 4)).ok());
  EXPECT_EQ(slots_.retired(), 1u);
  EXPECT_EQ(slots_.ready(), 1u);
}

TEST_F(BlockPoolTest, TellsHowManyBlocksOfEachSlotAreOut) {
  slots_.Add(2);
  const std::vector<Block> blocks = Take(5);
  EXPECT_EQ(pool_.UseBySlot(), (std::vector<std::pair<uint64_t, uint64_t>>{{0, 4}, {1, 1}}));
}

TEST_F(BlockPoolTest, KnowsWhatItCouldNeverHold) {
  slots_.SetMost(9);
  EXPECT_TRUE(pool_.CouldHold(36));
  EXPECT_FALSE(pool_.CouldHold(37));
  EXPECT_TRUE(pool_.HasAddressesFor(40));
  EXPECT_FALSE(pool_.HasAddressesFor(41));
}

}  // namespace
}  // namespace kvbroker::replay
