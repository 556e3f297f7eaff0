#include "common/device/cuda/gpu_uuid.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

TEST(GpuUuidTest, FormatsAsNvidiaSmiDoes) {
  const char bytes[16] = {'\x8f', '\x14', '\xe4', '\x5f', '\xce', '\xea', '\x46', '\x7d',
                          '\x9a', '\xb3', '\x01', '\x23', '\x45', '\x67', '\x89', '\xab'};
  EXPECT_EQ(FormatGpuUuid(bytes), "GPU-8f14e45f-ceea-467d-9ab3-0123456789ab");
}

TEST(GpuUuidTest, KnowsAUuidFromOtherText) {
  EXPECT_TRUE(IsGpuUuid("GPU-8f14e45f-ceea-467d-9ab3-0123456789ab"));
  EXPECT_TRUE(IsGpuUuid("GPU-8F14E45F-CEEA-467D-9AB3-0123456789AB"));
  EXPECT_FALSE(IsGpuUuid(""));
  EXPECT_FALSE(IsGpuUuid("GPU-8f14e45f"));
  EXPECT_FALSE(IsGpuUuid("GPU-8f14e45f-ceea-467d-9ab3-0123456789ag"));
  EXPECT_FALSE(IsGpuUuid("GPU-8f14e45fxceea-467d-9ab3-0123456789ab"));
  EXPECT_FALSE(IsGpuUuid("MIG-8f14e45f-ceea-467d-9ab3-0123456789ab"));
}

}  // namespace
}  // namespace kvbroker
