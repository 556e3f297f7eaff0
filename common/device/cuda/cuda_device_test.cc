#include "common/device/cuda/cuda_device.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/device/extent.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A driver of two GPUs that records what it is asked for. What is GPU-only about CudaDevice is tested on a GPU; this is
// for the order of its calls and for what it does when one fails.
struct FakeDriver {
  CUresult mem_create = CUDA_SUCCESS;
  CUresult set_access = CUDA_SUCCESS;
  CUresult export_ = CUDA_SUCCESS;
  CUresult release = CUDA_SUCCESS;
  int shares_memory = 1;
  CUcontext current = nullptr;
  int retained = 0;
  std::vector<std::string> calls;
};

FakeDriver* driver = nullptr;  // one a test
const CUcontext kPrimary = reinterpret_cast<CUcontext>(0x100);
const CUcontext kEmbedders = reinterpret_cast<CUcontext>(0x200);
constexpr char kSecondUuid[] = "GPU-01010101-0101-0101-0101-010101010101";

CUresult Called(const char* call, CUresult result = CUDA_SUCCESS) {
  driver->calls.push_back(call);
  return result;
}

DriverApi FakeApi() {
  DriverApi api;
  api.init = [](unsigned int) { return CUDA_SUCCESS; };
  api.device_get_count = [](int* count) { return *count = 2, CUDA_SUCCESS; };
  api.device_get = [](CUdevice* device, int ordinal) { return *device = ordinal, CUDA_SUCCESS; };
  api.device_get_name = [](char* name, int, CUdevice) { return std::strcpy(name, "Fake GPU"), CUDA_SUCCESS; };
  api.device_get_uuid = [](CUuuid* uuid, CUdevice device) {
    return std::memset(uuid->bytes, device, sizeof(uuid->bytes)), CUDA_SUCCESS;
  };
  api.device_get_attribute = [](int* value, CUdevice_attribute, CUdevice) {
    return *value = driver->shares_memory, CUDA_SUCCESS;
  };
  api.primary_ctx_retain = [](CUcontext* context, CUdevice) {
    ++driver->retained;
    return *context = kPrimary, CUDA_SUCCESS;
  };
  api.primary_ctx_release = [](CUdevice) { return --driver->retained, CUDA_SUCCESS; };
  api.ctx_get_current = [](CUcontext* context) { return *context = driver->current, CUDA_SUCCESS; };
  api.ctx_set_current = [](CUcontext context) { return driver->current = context, CUDA_SUCCESS; };
  api.ctx_get_device = [](CUdevice* device) { return *device = 0, CUDA_SUCCESS; };
  api.mem_get_allocation_granularity = [](size_t* granularity, const CUmemAllocationProp*,
                                          CUmemAllocationGranularity_flags) {
    return *granularity = 2 << 20, CUDA_SUCCESS;
  };
  api.mem_create = [](CUmemGenericAllocationHandle* handle, size_t, const CUmemAllocationProp*, unsigned long long) {
    return *handle = 7, Called("create", driver->mem_create);
  };
  api.mem_export = [](void* fd, CUmemGenericAllocationHandle, CUmemAllocationHandleType, unsigned long long) {
    return *static_cast<int*>(fd) = driver->export_ == CUDA_SUCCESS ? open("/dev/null", O_RDONLY) : -1,
           Called("export", driver->export_);
  };
  api.mem_release = [](CUmemGenericAllocationHandle) { return Called("release", driver->release); };
  api.mem_address_reserve = [](CUdeviceptr* address, size_t, size_t, CUdeviceptr, unsigned long long) {
    return *address = 0x70000000, Called("reserve");
  };
  api.mem_address_free = [](CUdeviceptr, size_t) { return Called("free"); };
  api.mem_map = [](CUdeviceptr, size_t, size_t, CUmemGenericAllocationHandle, unsigned long long) {
    return Called("map");
  };
  api.mem_unmap = [](CUdeviceptr, size_t) { return Called("unmap"); };
  api.mem_set_access = [](CUdeviceptr, size_t, const CUmemAccessDesc*, size_t) {
    return Called("access", driver->set_access);
  };
  return api;
}

class CudaDeviceTest : public ::testing::Test {
 protected:
  CudaDeviceTest() { driver = &driver_; }
  ~CudaDeviceTest() override { driver = nullptr; }

  absl::StatusOr<std::unique_ptr<CudaDevice>> Open(const CudaDevice::Options& options) {
    return CudaDevice::OpenForTesting(api_, options);
  }

  FakeDriver driver_;
  const DriverApi api_ = FakeApi();
};

TEST_F(CudaDeviceTest, TellsWhatItIs) {
  const auto device = *Open({.ordinal = 1});
  EXPECT_EQ(device->info().kind, "cuda");
  EXPECT_EQ(device->info().uuid, kSecondUuid);
  EXPECT_EQ(device->info().name, "Fake GPU");
  EXPECT_EQ(device->info().granularity, MiB(2));
}

TEST_F(CudaDeviceTest, OpensByUuid) {
  const auto device = Open({.uuid = kSecondUuid});
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ((*device)->info().uuid, kSecondUuid);
}

TEST_F(CudaDeviceTest, NamesAGpuThatIsNotThereAndThoseThatAre) {
  const absl::Status by_uuid = Open({.uuid = "GPU-02020202-0202-0202-0202-020202020202"}).status();
  EXPECT_EQ(by_uuid.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(by_uuid.message()), HasSubstr(kSecondUuid));
  EXPECT_EQ(Open({.ordinal = 2}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Open({.ordinal = -1}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CudaDeviceTest, RefusesAGpuThatCannotShareMemory) {
  driver_.shares_memory = 0;
  EXPECT_EQ(Open({}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(CudaDeviceTest, OwnerMakesNoContextAndMapsNothing) {
  const auto device = *Open({.role = DeviceRole::kOwner});
  const Extent extent = *Extent::Create(*device, MiB(2));
  EXPECT_TRUE(device->BindThread().ok());
  EXPECT_EQ(device->Reserve(MiB(2)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(device->Map(0x70000000, MiB(2), extent.raw()).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(driver_.retained, 0);
  EXPECT_EQ(driver_.current, nullptr);
  EXPECT_THAT(driver_.calls, ElementsAre("create", "export", "create"));
}

TEST_F(CudaDeviceTest, OwnerKeepsADescriptorExportedForAsLongAsItIsOpen) {
  auto device = *Open({.role = DeviceRole::kOwner});
  EXPECT_THAT(driver_.calls, ElementsAre("create", "export"));
  device.reset();
  EXPECT_THAT(driver_.calls, ElementsAre("create", "export", "release"));
}

TEST_F(CudaDeviceTest, OwnerOfAFullGpuOpensAllTheSame) {
  driver_.mem_create = CUDA_ERROR_OUT_OF_MEMORY;
  auto device = Open({.role = DeviceRole::kOwner});
  ASSERT_TRUE(device.ok()) << device.status();
  device->reset();
  EXPECT_THAT(driver_.calls, ElementsAre("create"));
}

TEST_F(CudaDeviceTest, MapperTakesThePrimaryContextAndLeavesIt) {
  auto device = *Open({});
  EXPECT_EQ(driver_.retained, 1);
  ASSERT_TRUE(device->BindThread().ok());
  EXPECT_EQ(driver_.current, kPrimary);

  device.reset();

  EXPECT_EQ(driver_.retained, 0);
}

TEST_F(CudaDeviceTest, MapperUsesTheContextItFindsCurrentAndLeavesItAlone) {
  driver_.current = kEmbedders;
  auto device = *Open({});
  driver_.current = nullptr;
  ASSERT_TRUE(device->BindThread().ok());
  EXPECT_EQ(driver_.current, kEmbedders);
  device.reset();
  EXPECT_EQ(driver_.retained, 0) << "neither taken nor left";
}

TEST_F(CudaDeviceTest, MapperDoesNotUseAnotherGpusContext) {
  driver_.current = kEmbedders;  // of GPU 0
  const auto device = *Open({.ordinal = 1});
  ASSERT_TRUE(device->BindThread().ok());
  EXPECT_EQ(driver_.current, kPrimary);
}

TEST_F(CudaDeviceTest, LackOfMemoryIsResourceExhausted) {
  const auto device = *Open({.role = DeviceRole::kOwner});
  driver_.mem_create = CUDA_ERROR_OUT_OF_MEMORY;
  const absl::Status status = device->Create(MiB(2)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "cuMemCreate of 2 MiB: CUDA_ERROR_OUT_OF_MEMORY");
}

TEST_F(CudaDeviceTest, RefusesWhatIsNoMultipleOfTheGranularity) {
  const auto device = *Open({});
  for (const Bytes bytes : {Bytes(), MiB(3)}) {
    EXPECT_EQ(device->Create(bytes).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(device->Reserve(bytes).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(device->Import(0, bytes).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_THAT(driver_.calls, ElementsAre());
}

TEST_F(CudaDeviceTest, MapThatGetsNoAccessLeavesNothingMapped) {
  const auto device = *Open({});
  driver_.set_access = CUDA_ERROR_OUT_OF_MEMORY;
  EXPECT_EQ(device->Map(0x70000000, MiB(2), RawExtent{7}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(driver_.calls, ElementsAre("map", "access", "unmap"));
}

TEST_F(CudaDeviceTest, ImportRefusesADescriptorThatIsNotTheDrivers) {
  const auto device = *Open({});
  const UniqueFd memory(memfd_create("x", MFD_CLOEXEC));
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {-1, memory.get(), null.get()}) {
    const absl::Status status = device->Import(fd, MiB(2)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), absl::StrCat("descriptor ", fd, " is no extent of a GPU"));
  }
}

TEST_F(CudaDeviceTest, ReleaseWhileTheProcessEndsIsOk) {
  const auto device = *Open({.role = DeviceRole::kOwner});
  const RawExtent extent = *device->Create(MiB(2));
  driver_.release = CUDA_ERROR_DEINITIALIZED;
  EXPECT_TRUE(device->Release(extent).ok());
}

}  // namespace
}  // namespace kvbroker
