#include "common/device/zero_check.h"

#include <memory>
#include <vector>

#include "common/device/host/host_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

// A host device that gives out again what was let go of, as it is.
class RecyclingDevice : public Device {
 public:
  explicit RecyclingDevice(Device& real) : real_(real) {}
  ~RecyclingDevice() override {
    for (const RawExtent extent : let_go_) real_.Release(extent).IgnoreError();
  }

  const DeviceInfo& info() const override { return real_.info(); }
  absl::StatusOr<DeviceMemory> Memory() override { return real_.Memory(); }
  absl::StatusOr<RawExtent> Create(Bytes bytes) override {
    if (let_go_.empty()) return real_.Create(bytes);
    const RawExtent extent = let_go_.back();
    let_go_.pop_back();
    return extent;
  }
  absl::StatusOr<UniqueFd> Export(RawExtent extent) override { return real_.Export(extent); }
  absl::StatusOr<RawExtent> Import(int fd, Bytes bytes) override { return real_.Import(fd, bytes); }
  absl::StatusOr<uint64_t> Reserve(Bytes bytes) override { return real_.Reserve(bytes); }
  absl::Status FreeReservation(uint64_t address, Bytes bytes) override { return real_.FreeReservation(address, bytes); }
  absl::Status Map(uint64_t address, Bytes bytes, RawExtent extent) override {
    return real_.Map(address, bytes, extent);
  }
  absl::Status Unmap(uint64_t address, Bytes bytes) override { return real_.Unmap(address, bytes); }
  absl::Status BindThread() override { return real_.BindThread(); }
  absl::Status Release(RawExtent extent) override {
    let_go_.push_back(extent);
    return absl::OkStatus();
  }

 private:
  Device& real_;
  std::vector<RawExtent> let_go_;
};

TEST(ZeroCheckTest, TheHostsMemoryIsZeroed) {
  const auto device = *HostDevice::Open({.name = "zero", .capacity = MiB(16)});
  EXPECT_EQ(CheckZeroing(*device, MiB(2), 8), absl::OkStatus());
  EXPECT_EQ(device->Memory()->free, MiB(16)) << "nothing is left";
}

TEST(ZeroCheckTest, MemoryThatIsHandedOnAsItIsIsFoundOut) {
  const auto device = *HostDevice::Open({.name = "zero", .capacity = MiB(16)});
  RecyclingDevice recycling(*device);
  const absl::Status checked = CheckZeroing(recycling, MiB(2), 2);
  EXPECT_EQ(checked.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(checked.message()), HasSubstr("1048576 of 1048576 words"));
}

TEST(ZeroCheckTest, WhereThereIsNoMemoryItCouldNotBeTried) {
  const auto device = *HostDevice::Open({.name = "zero", .capacity = MiB(4)});
  EXPECT_EQ(CheckZeroing(*device, MiB(2), 3).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(device->Memory()->free, MiB(4));
}

}  // namespace
}  // namespace kvbroker
