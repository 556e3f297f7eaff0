#include "tests/sim/sim_device.h"

#include "gtest/gtest.h"

namespace kvbroker::sim {
namespace {

class SimDeviceTest : public ::testing::Test {
 protected:
  void Settle() {
    while (timeline_.Next()) {
    }
  }

  Timeline timeline_;
  Rng rng_{1};
  SimDevice device_{{.total = MiB(10), .slowest_free = absl::Seconds(1)}, timeline_, rng_};
};

TEST_F(SimDeviceTest, MemoryIsFreeSomeTimeAfterItsLastHolderLetItGo) {
  const SimDevice::Slot slot = *device_.Create(MiB(4), true);
  device_.Hold(slot);
  device_.LetGo(slot);
  Settle();
  EXPECT_EQ(device_.free(), MiB(6));
  device_.LetGo(slot);
  EXPECT_EQ(device_.issued(), MiB(4));
  Settle();
  EXPECT_EQ(device_.free(), MiB(10));
  EXPECT_EQ(device_.issued(), Bytes());
}

TEST_F(SimDeviceTest, NothingIsMadeBeyondWhatIsFree) {
  device_.UseFromOutside(MiB(7));
  EXPECT_FALSE(device_.Create(MiB(4), true).has_value());
  device_.UseFromOutside(MiB(100));
  EXPECT_EQ(device_.free(), Bytes());
  device_.UseFromOutside(MiB(2));
  EXPECT_EQ(device_.others_grew(), MiB(10));
  EXPECT_EQ(device_.others_shrank(), MiB(8));
}

TEST_F(SimDeviceTest, AFailureTakesAPartForAWhile) {
  SimDevice failing({.total = MiB(10), .slowest_free = absl::Seconds(1), .create_fails = 100}, timeline_, rng_);
  EXPECT_FALSE(failing.Create(MiB(4), true).has_value());
  EXPECT_LT(failing.free(), MiB(10));
  Settle();
  EXPECT_EQ(failing.free(), MiB(10));
  EXPECT_EQ(failing.issued(), Bytes());
}

}  // namespace
}  // namespace kvbroker::sim
