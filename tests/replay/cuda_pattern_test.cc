// The pattern's kernels on a real GPU.

#include "tests/replay/cuda_pattern.h"

#include <memory>
#include <utility>
#include <vector>

#include "common/device/cuda/driver_api.h"
#include "common/device/extent.h"
#include "common/device/open_device.h"
#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

constexpr Bytes kBlock = KiB(256);
constexpr Bytes kMemory = MiB(128);

// One for all tests: making a context takes long, and the next device in this thread would find the last one's, ended,
// still current.
const absl::StatusOr<std::unique_ptr<Device>>& Opened() {
  static const auto* const opened =
      new absl::StatusOr<std::unique_ptr<Device>>(OpenDevice("cuda:0", {.role = DeviceRole::kMapper}));
  return *opened;
}

// An extent of 512 blocks: more than one launch names.
class CudaPatternGpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!DriverApi::Load().ok()) GTEST_SKIP() << "no GPU: " << DriverApi::Load().status();
    if (!Opened().ok()) GTEST_SKIP() << "no GPU: " << Opened().status();
    device_ = Opened()->get();
    ASSERT_TRUE(device_->BindThread().ok());
    range_ = Reservation::Create(*device_, kMemory).value();
    extent_ = Extent::Create(*device_, kMemory).value();
    ASSERT_TRUE(device_->Map(range_.address(), kMemory, extent_.raw()).ok());
    pattern_ = CreateCudaPattern(*device_, kBlock).value();
    for (uint64_t i = 0; i < kMemory / kBlock; ++i) {
      blocks_.push_back({range_.address() + i * kBlock.in_bytes(), SpreadSeed(i)});
    }
  }
  void TearDown() override {
    if (device_ == nullptr) return;
    EXPECT_TRUE(device_->Unmap(range_.address(), kMemory).ok());
  }

  std::vector<uint64_t> Read(size_t block) const {
    std::vector<uint64_t> words(kBlock.in_bytes() / sizeof(uint64_t));
    EXPECT_EQ((*DriverApi::Load())->memcpy_dtoh(words.data(), blocks_[block].address, kBlock.in_bytes()), CUDA_SUCCESS);
    return words;
  }

  Device* device_ = nullptr;
  Reservation range_;
  Extent extent_;
  std::unique_ptr<Pattern> pattern_;
  std::vector<PatternBlock> blocks_;
};

TEST_F(CudaPatternGpuTest, WritesTheHostsPattern) {
  ASSERT_TRUE(pattern_->Fill(blocks_).ok());
  EXPECT_EQ(*pattern_->CountWrongWords(blocks_), 0u);
  for (const size_t block : {size_t{0}, size_t{239}, size_t{240}, blocks_.size() - 1}) {
    const std::vector<uint64_t> words = Read(block);
    for (size_t i = 0; i < words.size(); ++i) {
      ASSERT_EQ(words[i], blocks_[block].seed + i * kPatternStep) << "word " << i << " of block " << block;
    }
  }
}

TEST_F(CudaPatternGpuTest, CountsEachWrongWord) {
  ASSERT_TRUE(pattern_->Fill(blocks_).ok());
  ASSERT_EQ(*pattern_->CountWrongWords(blocks_), 0u);
  const DriverApi& api = **DriverApi::Load();
  ASSERT_EQ(api.memset_d32(blocks_[1].address + 8, 1, 1), CUDA_SUCCESS);                         // one word
  ASSERT_EQ(api.memset_d32(blocks_[500].address + kBlock.in_bytes() - 16, 1, 4), CUDA_SUCCESS);  // the last two
  ASSERT_EQ(api.ctx_synchronize(), CUDA_SUCCESS);
  EXPECT_EQ(*pattern_->CountWrongWords(blocks_), 3u);
}

TEST_F(CudaPatternGpuTest, SeesZeroedAndForeignBlocks) {
  const uint64_t words = kMemory.in_bytes() / sizeof(uint64_t);
  EXPECT_EQ(*pattern_->CountWrongWords(blocks_), words) << "a new extent is zero";
  ASSERT_TRUE(pattern_->Fill(blocks_).ok());
  for (PatternBlock& block : blocks_) block.seed += 1;
  EXPECT_EQ(*pattern_->CountWrongWords(blocks_), words);
}

}  // namespace
}  // namespace kvbroker::replay
