#include "common/device/host/host_device.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "common/device/extent.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

class HostDeviceTest : public ::testing::Test {
 protected:
  Bytes Free() { return device_->Memory()->free; }

  std::unique_ptr<HostDevice> device_ = *HostDevice::Open({.name = "test", .capacity = MiB(16)});
};

TEST_F(HostDeviceTest, CreateTakesAndReleaseReturnsCapacity) {
  absl::StatusOr<Extent> extent = Extent::Create(*device_, MiB(4));
  ASSERT_TRUE(extent.ok()) << extent.status();
  EXPECT_EQ(Free(), MiB(12));

  extent->Reset();

  EXPECT_EQ(Free(), MiB(16));
}

TEST_F(HostDeviceTest, CreateBeyondFreeChangesNothing) {
  const Extent held = *Extent::Create(*device_, MiB(14));
  EXPECT_EQ(Extent::Create(*device_, MiB(4)).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Free(), MiB(2));
}

TEST_F(HostDeviceTest, CreateRefusesWhatIsNoMultipleOfTheGranularity) {
  EXPECT_EQ(device_->Create(MiB(3)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(device_->Create(Bytes()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HostDeviceTest, ExtentIsZeroAndSharedThroughItsDescriptor) {
  const Extent extent = *Extent::Create(*device_, MiB(2));
  const UniqueFd fd = *extent.Export();
  const Extent imported = *Extent::Import(*device_, fd.get(), MiB(2));
  const Reservation range = *Reservation::Create(*device_, MiB(4));
  ASSERT_TRUE(device_->Map(range.address(), MiB(2), extent.raw()).ok());
  ASSERT_TRUE(device_->Map(range.address() + MiB(2).in_bytes(), MiB(2), imported.raw()).ok());
  auto* const first = reinterpret_cast<char*>(range.address());
  EXPECT_EQ(first[12345], 0);

  first[12345] = 7;

  EXPECT_EQ(first[MiB(2).in_bytes() + 12345], 7);
}

TEST_F(HostDeviceTest, MemoryStaysTakenWhileAnotherProcessMapsIt) {
  Extent extent = *Extent::Create(*device_, MiB(4));
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    mmap(nullptr, MiB(4).in_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(extent.raw()), 0);
    close(static_cast<int>(extent.raw()));
    if (write(ready[1], "x", 1) != 1) _exit(1);
    pause();
  }
  char c;
  ASSERT_EQ(read(ready[0], &c, 1), 1);
  extent.Reset();
  EXPECT_EQ(Free(), MiB(12)) << "the child still maps it";

  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);

  EXPECT_EQ(Free(), MiB(16));
}

TEST_F(HostDeviceTest, ImportRefusesADescriptorThatIsNoExtent) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(device_->Import(ends[0], MiB(2)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(device_->Import(-1, MiB(2)).status().code(), absl::StatusCode::kInvalidArgument);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(HostDeviceTest, ImportRefusesAnExtentOfAnotherSize) {
  const Extent extent = *Extent::Create(*device_, MiB(2));
  EXPECT_EQ(device_->Import(extent.Export()->get(), MiB(4)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HostDeviceTest, ImportRefusesAMemfdThatItsOwnerCouldCut) {
  const UniqueFd unsealed(memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(unsealed.get(), static_cast<off_t>(MiB(2).in_bytes())), 0);
  EXPECT_EQ(device_->Import(unsealed.get(), MiB(2)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HostDeviceTest, MappingKeepsTheMemoryAndUnmapReturnsIt) {
  Extent extent = *Extent::Create(*device_, MiB(4));
  const Reservation range = *Reservation::Create(*device_, MiB(4));
  ASSERT_TRUE(device_->Map(range.address(), MiB(4), extent.raw()).ok());
  extent.Reset();
  EXPECT_EQ(Free(), MiB(12));

  ASSERT_TRUE(device_->Unmap(range.address(), MiB(4)).ok());

  EXPECT_EQ(Free(), MiB(16));
}

TEST(HostDeviceOverflowTest, ExtentsThatEndInGreaterNumbersThanTheKernelReportsAreSeen) {
  uint64_t queue = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue;
  if (queue > 50'000) GTEST_SKIP() << "the kernel queues " << queue << " events: too many mappings would be needed";
  const Bytes page = KiB(4);
  const uint64_t count = queue / 2 + 500;  // two events each
  const auto device = *HostDevice::Open({.capacity = page * (count + 1), .granularity = page});
  const Extent held = *Extent::Create(*device, page);
  const Reservation range = *Reservation::Create(*device, page * count);
  for (uint64_t i = 0; i < count; ++i) {
    const absl::StatusOr<Extent> extent = Extent::Create(*device, page);
    ASSERT_TRUE(extent.ok()) << extent.status();
    ASSERT_TRUE(device->Map(range.address() + (page * i).in_bytes(), page, extent->raw()).ok());
  }
  ASSERT_EQ(device->Memory()->free, Bytes());

  ASSERT_TRUE(device->Unmap(range.address(), page * count).ok());

  EXPECT_EQ(device->Memory()->free, page * count) << "all but what is held";
}

TEST(HostDeviceDeathTest, TouchingAHoleIsFatal) {
  const auto device = *HostDevice::Open({});
  const Reservation range = *Reservation::Create(*device, MiB(2));
  EXPECT_DEATH(*reinterpret_cast<volatile char*>(range.address()) = 1, "");
}

TEST(HostDeviceOwnerTest, WhatAnEarlierOwnerLeftWithOthersIsInUseUntilTheyLetGo) {
  int ready[2];
  int go[2];
  ASSERT_TRUE(pipe(ready) == 0 && pipe(go) == 0);
  const std::string owner = "host_device_test " + std::to_string(getpid());
  const HostDevice::Options options = {.capacity = MiB(16), .owner = owner};
  const pid_t child = fork();
  if (child == 0) {
    // The owner, and a client of its own: one extent is mapped, one open, one both, one let go of.
    const auto device = *HostDevice::Open(options);
    const uint64_t range = *device->Reserve(MiB(8));
    for (const uint64_t i : {0, 1, 2, 3}) {
      const RawExtent extent = *device->Create(MiB(2));
      if (i % 2 == 0) device->Map(range + i * MiB(2).in_bytes(), MiB(2), extent).IgnoreError();
      if (i == 0 || i == 3) device->Release(extent).IgnoreError();
    }
    char byte = 0;
    if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(1);
    device->Unmap(range, MiB(2)).IgnoreError();
    if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const auto next = *HostDevice::Open(options);
  const auto free = [&] { return next->Memory()->free; };
  EXPECT_EQ(free(), MiB(10));
  EXPECT_EQ((*HostDevice::Open({.capacity = MiB(16), .owner = owner + "'s neighbour"}))->Memory()->free, MiB(16));
  EXPECT_EQ(next->Create(MiB(12)).status().code(), absl::StatusCode::kResourceExhausted);

  ASSERT_EQ(write(go[1], &byte, 1), 1);
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_EQ(free(), MiB(12));
  ASSERT_EQ(write(go[1], &byte, 1), 1);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(free(), MiB(16));
  for (const int fd : {ready[0], ready[1], go[0], go[1]}) close(fd);
}

}  // namespace
}  // namespace kvbroker
