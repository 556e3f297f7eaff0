#include "tests/replay/host_pattern.h"

#include <vector>

#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

constexpr uint64_t kWords = 512;

class HostPatternTest : public ::testing::Test {
 protected:
  PatternBlock BlockAt(size_t i, uint64_t seed) {
    return {.address = reinterpret_cast<uint64_t>(memory_.data() + i * kWords), .seed = SpreadSeed(seed)};
  }

  std::vector<uint64_t> memory_ = std::vector<uint64_t>(3 * kWords);
  HostPattern pattern_{Bytes(kWords * sizeof(uint64_t))};
};

TEST_F(HostPatternTest, FindsWhatItWrote) {
  const std::vector<PatternBlock> blocks = {BlockAt(0, 1), BlockAt(1, 2)};
  ASSERT_TRUE(pattern_.Fill(blocks).ok());
  EXPECT_EQ(*pattern_.CountWrongWords(blocks), 0u);
  EXPECT_EQ(memory_[2 * kWords], 0u) << "the next block is not touched";
}

TEST_F(HostPatternTest, CountsEachWrongWord) {
  const std::vector<PatternBlock> blocks = {BlockAt(0, 1), BlockAt(1, 2)};
  ASSERT_TRUE(pattern_.Fill(blocks).ok());
  memory_[0] ^= 1;
  memory_[2 * kWords - 1] = 0;
  EXPECT_EQ(*pattern_.CountWrongWords(blocks), 2u);
}

TEST_F(HostPatternTest, SeesZeroedAndForeignBlocks) {
  EXPECT_EQ(*pattern_.CountWrongWords({BlockAt(0, 1)}), kWords);
  ASSERT_TRUE(pattern_.Fill({BlockAt(0, 1)}).ok());
  EXPECT_EQ(*pattern_.CountWrongWords({BlockAt(0, 2)}), kWords);
}

}  // namespace
}  // namespace kvbroker::replay
