// What CudaDevice and the driver behind it do on a real GPU, with the broker's half in another process.

#include "common/device/cuda/cuda_device.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/device/cuda/driver_api.h"
#include "common/device/cuda/gpu_uuid.h"
#include "common/device/extent.h"
#include "common/device/mapped_words.h"
#include "common/device/open_device.h"
#include "gtest/gtest.h"
#include "tests/device/extent_server.h"

namespace kvbroker {
namespace {

// What free memory may differ by for reasons that are not the test's: the driver's own books, a kernel loaded late.
constexpr Bytes kSlack = MiB(128);
constexpr uint32_t kPattern = 0xdeadbeef;

// Addresses with one extent behind them.
class Window {
 public:
  static absl::StatusOr<Window> Open(Device& device, Bytes bytes, RawExtent extent) {
    absl::StatusOr<Reservation> range = Reservation::Create(device, bytes);
    if (!range.ok()) return range.status();
    if (absl::Status mapped = device.Map(range->address(), bytes, extent); !mapped.ok()) return mapped;
    absl::StatusOr<MappedWords> words = MappedWords::Of(device);
    if (!words.ok()) return words.status();
    return Window(device, *std::move(range), *std::move(words));
  }

  Window(Window&& other) = default;
  Window& operator=(Window&& other) = delete;
  ~Window() {
    if (range_.address() != 0 && range_.bytes() != Bytes()) {
      EXPECT_TRUE(device_->Unmap(range_.address(), range_.bytes()).ok());
    }
  }

  absl::Status Fill(uint32_t word) { return words_.Fill(range_.address(), range_.bytes(), word); }

  // How many words are not `word`; all where they cannot be read.
  size_t CountOthers(uint32_t word) {
    const auto others = words_.CountOthers(range_.address(), range_.bytes(), word);
    EXPECT_TRUE(others.ok()) << others.status();
    return others.value_or(range_.bytes().in_bytes());
  }

 private:
  Window(Device& device, Reservation range, MappedWords words)
      : device_(&device), range_(std::move(range)), words_(std::move(words)) {}

  Device* device_;
  Reservation range_;
  MappedWords words_;
};

// The mapper: one for all tests, as making a context takes long.
const absl::StatusOr<std::unique_ptr<CudaDevice>>& Opened() {
  static const auto* const opened =
      new absl::StatusOr<std::unique_ptr<CudaDevice>>(CudaDevice::Open({.role = DeviceRole::kMapper}));
  return *opened;
}

class CudaDeviceGpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const absl::Status status = Opened().status();
    if (absl::IsNotFound(status) || absl::IsUnavailable(status)) GTEST_SKIP() << "no usable GPU here: " << status;
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(device().BindThread().ok());
    auto server = ExtentServer::Start(device().info().uuid);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  static CudaDevice& device() { return **Opened(); }

  // The extent behind a descriptor, imported, for tests whose subject is what follows.
  static Extent Import(const UniqueFd& fd, Bytes bytes) {
    absl::StatusOr<Extent> extent = Extent::Import(device(), fd.get(), bytes);
    EXPECT_TRUE(extent.ok()) << extent.status();
    return extent.ok() ? *std::move(extent) : Extent();
  }

  static Bytes Free() {
    const auto memory = device().Memory();
    EXPECT_TRUE(memory.ok()) << memory.status();
    return memory.ok() ? memory->free : Bytes();
  }

  // The driver may show released memory as free a little later.
  static bool WaitUntilFree(Bytes bytes) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (Free() < bytes) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }

  std::unique_ptr<ExtentServer> server_;
};

TEST_F(CudaDeviceGpuTest, TellsWhatItIs) {
  const DeviceInfo& info = device().info();
  EXPECT_EQ(info.kind, "cuda");
  EXPECT_TRUE(IsGpuUuid(info.uuid)) << info.uuid;
  EXPECT_FALSE(info.name.empty());
  EXPECT_EQ(info.granularity, MiB(2));
}

TEST_F(CudaDeviceGpuTest, IsFoundByOrdinalByUuidAndByItself) {
  for (const std::string& spec : {std::string("cuda:0"), "cuda:" + device().info().uuid, std::string("auto")}) {
    const auto opened = OpenDevice(spec, {.role = DeviceRole::kOwner});
    ASSERT_TRUE(opened.ok()) << spec << ": " << opened.status();
    EXPECT_EQ((*opened)->info().uuid, device().info().uuid) << spec;
  }
  EXPECT_EQ(OpenDevice("cuda:GPU-00000000-0000-0000-0000-000000000000", {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(OpenDevice("cuda:4096", {}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CudaDeviceGpuTest, OwnerMakesAndExportsWithoutAContext) {
  ASSERT_TRUE(server_->Create(MiB(32)).ok());
  const auto has_context = server_->HasContext();
  ASSERT_TRUE(has_context.ok()) << has_context.status();
  EXPECT_FALSE(*has_context);
}

TEST_F(CudaDeviceGpuTest, ExtentOfAnotherProcessIsZeroWritableAndShared) {
  const auto fd = server_->Create(MiB(32));
  ASSERT_TRUE(fd.ok()) << fd.status();
  const Extent first = Import(*fd, MiB(32));
  const Extent second = Import(*fd, MiB(32));
  auto one = Window::Open(device(), MiB(32), first.raw());
  auto other = Window::Open(device(), MiB(32), second.raw());
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(one->CountOthers(0), 0u);

  ASSERT_TRUE(one->Fill(kPattern).ok());

  EXPECT_EQ(other->CountOthers(kPattern), 0u);
}

TEST_F(CudaDeviceGpuTest, MemoryMadeAnewIsZero) {
  constexpr Bytes kBytes = MiB(512);
  for (int round = 0; round < 3; ++round) {
    const auto fd = server_->Create(kBytes);
    ASSERT_TRUE(fd.ok()) << fd.status();
    const Extent extent = Import(*fd, kBytes);
    auto window = Window::Open(device(), kBytes, extent.raw());
    ASSERT_TRUE(window.ok()) << window.status();
    EXPECT_EQ(window->CountOthers(0), 0u) << "round " << round << " shows what the round before wrote";
    ASSERT_TRUE(window->Fill(kPattern).ok());
    ASSERT_TRUE(server_->ReleaseAll().ok());
  }
}

TEST_F(CudaDeviceGpuTest, ReleasedMemoryIsFreeAgain) {
  const Bytes before = Free();
  ASSERT_TRUE(server_->Create(GiB(1)).ok());  // the descriptor is closed at once
  EXPECT_LE(Free(), before - GiB(1) + kSlack);

  ASSERT_TRUE(server_->ReleaseAll().ok());

  EXPECT_TRUE(WaitUntilFree(before - kSlack)) << "free before " << before << ", now " << Free();
}

TEST_F(CudaDeviceGpuTest, DescriptorAloneHoldsTheMemory) {
  const Bytes before = Free();
  auto fd = server_->Create(GiB(1));
  ASSERT_TRUE(fd.ok()) << fd.status();
  server_->Kill();
  EXPECT_LE(Free(), before - GiB(1) + kSlack);

  fd->Reset();

  EXPECT_TRUE(WaitUntilFree(before - kSlack)) << "free before " << before << ", now " << Free();
}

TEST_F(CudaDeviceGpuTest, MappingAloneHoldsTheMemory) {
  const Bytes before = Free();
  {
    auto fd = server_->Create(GiB(1));
    ASSERT_TRUE(fd.ok()) << fd.status();
    Extent extent = Import(*fd, GiB(1));
    auto window = Window::Open(device(), GiB(1), extent.raw());
    ASSERT_TRUE(window.ok()) << window.status();
    ASSERT_TRUE(window->Fill(kPattern).ok());
    fd->Reset();
    extent.Reset();
    ASSERT_TRUE(server_->ReleaseAll().ok());
    EXPECT_LE(Free(), before - GiB(1) + kSlack);
    EXPECT_EQ(window->CountOthers(kPattern), 0u);
  }
  EXPECT_TRUE(WaitUntilFree(before - kSlack)) << "free before " << before << ", now " << Free();
}

TEST_F(CudaDeviceGpuTest, WhatTheImporterHoldsAloneIsItsOwn) {
  const Bytes before = device().Memory()->used_by_caller;
  if (before.IsZero()) GTEST_SKIP() << "the driver does not tell what this process uses";
  auto fd = server_->Create(GiB(1));
  ASSERT_TRUE(fd.ok()) << fd.status();
  const Extent extent = Import(*fd, GiB(1));
  auto window = Window::Open(device(), GiB(1), extent.raw());
  ASSERT_TRUE(window.ok()) << window.status();
  fd->Reset();
  ASSERT_TRUE(server_->ReleaseAll().ok());
  EXPECT_GE(device().Memory()->used_by_caller + kSlack, before + GiB(1));
}

TEST_F(CudaDeviceGpuTest, ContentsAndNewMappingsOutliveTheExporter) {
  constexpr int kExtents = 32;
  std::vector<UniqueFd> fds;
  for (int i = 0; i < kExtents; ++i) {
    auto fd = server_->Create(MiB(8));
    ASSERT_TRUE(fd.ok()) << fd.status();
    fds.push_back(*std::move(fd));
  }
  std::vector<Extent> extents;
  std::vector<Window> windows;
  for (int i = 0; i < kExtents; ++i) {
    if (i == kExtents / 2) server_->Kill();
    extents.push_back(Import(fds[i], MiB(8)));
    auto window = Window::Open(device(), MiB(8), extents.back().raw());
    ASSERT_TRUE(window.ok()) << window.status() << " at extent " << i;
    ASSERT_TRUE(window->Fill(kPattern + i).ok());
    windows.push_back(*std::move(window));
  }
  for (int i = 0; i < kExtents; ++i) EXPECT_EQ(windows[i].CountOthers(kPattern + i), 0u) << i;
}

TEST_F(CudaDeviceGpuTest, CreateBeyondFreeIsResourceExhausted) {
  const Bytes total = device().Memory()->total;
  EXPECT_EQ(server_->Create(RoundUp(total * 2, MiB(2))).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(server_->Create(MiB(2)).ok()) << "the device is as usable as before";
}

TEST_F(CudaDeviceGpuTest, ImportRefusesADescriptorThatIsNoExtent) {
  const UniqueFd memory(memfd_create("x", MFD_CLOEXEC));
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const UniqueFd driver(open("/dev/nvidiactl", O_RDWR | O_CLOEXEC));  // the right file, with nothing exported to it
  ASSERT_TRUE(driver.valid());
  for (const int fd : {-1, 9999, memory.get(), null.get(), driver.get()}) {
    const absl::Status status = device().Import(fd, MiB(2)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_NE(status.message().find("descriptor " + std::to_string(fd)), std::string::npos) << status;
  }
}

TEST_F(CudaDeviceGpuTest, MapRefusesAnExtentOfAnotherSizeAndMapsNothing) {
  const auto fd = server_->Create(MiB(4));
  ASSERT_TRUE(fd.ok()) << fd.status();
  const Extent extent = Import(*fd, MiB(4));
  EXPECT_EQ(Window::Open(device(), MiB(2), extent.raw()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Window::Open(device(), MiB(8), extent.raw()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Window::Open(device(), MiB(4), extent.raw()).ok());
}

TEST_F(CudaDeviceGpuTest, AddressesAreUsableAgainAfterUnmap) {
  const Reservation range = *Reservation::Create(device(), MiB(4));
  const auto fd = server_->Create(MiB(4));
  ASSERT_TRUE(fd.ok()) << fd.status();
  const Extent extent = Import(*fd, MiB(4));
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(device().Map(range.address(), MiB(4), extent.raw()).ok());
    EXPECT_FALSE(device().Map(range.address(), MiB(4), extent.raw()).ok()) << "mapped already";
    EXPECT_TRUE(device().Unmap(range.address(), MiB(4)).ok());
  }
}

TEST_F(CudaDeviceGpuTest, ReservesMoreAddressesThanTheDeviceHasMemory) {
  const auto range = Reservation::Create(device(), RoundUp(device().Memory()->total * 4, MiB(2)));
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_EQ(range->address() % MiB(2).in_bytes(), 0u);
}

TEST_F(CudaDeviceGpuTest, OnlyMappingNeedsABoundThread) {
  const auto fd = server_->Create(MiB(2));
  ASSERT_TRUE(fd.ok()) << fd.status();
  std::thread thread([&] {
    CUcontext current = nullptr;
    ASSERT_EQ((*DriverApi::Load())->ctx_get_current(&current), CUDA_SUCCESS);
    ASSERT_EQ(current, nullptr);
    const auto extent = Extent::Import(device(), fd->get(), MiB(2));
    ASSERT_TRUE(extent.ok()) << extent.status();
    const auto range = Reservation::Create(device(), MiB(2));
    ASSERT_TRUE(range.ok()) << range.status();

    ASSERT_TRUE(device().BindThread().ok());
    EXPECT_TRUE(device().Map(range->address(), MiB(2), extent->raw()).ok());
    EXPECT_TRUE(device().Unmap(range->address(), MiB(2)).ok());
  });
  thread.join();
}

}  // namespace
}  // namespace kvbroker

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == kvbroker::kExtentServerFlag) return kvbroker::ServeExtents(argv[2]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
