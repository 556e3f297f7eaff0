#include "common/device/fault_device.h"

#include <memory>

#include "common/device/extent.h"
#include "common/device/host/host_device.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

class FaultDeviceTest : public ::testing::Test {
 protected:
  std::unique_ptr<HostDevice> host_ = *HostDevice::Open({.name = "test", .capacity = MiB(16)});
  FaultDevice device_{*host_};
};

TEST_F(FaultDeviceTest, FailsTheChosenCallOnce) {
  device_.FailNext(DeviceCall::kCreate, absl::InternalError("planted"), /*after=*/1);
  EXPECT_TRUE(Extent::Create(device_, MiB(2)).ok());
  EXPECT_EQ(Extent::Create(device_, MiB(2)).status().message(), "planted");
  EXPECT_TRUE(Extent::Create(device_, MiB(2)).ok());
  EXPECT_EQ(device_.Count(DeviceCall::kCreate), 3);
}

TEST_F(FaultDeviceTest, ShowsUseFromOutsideAsLessFree) {
  device_.UseFromOutside(MiB(10));
  EXPECT_EQ(device_.Memory()->free, MiB(6));
}

}  // namespace
}  // namespace kvbroker
