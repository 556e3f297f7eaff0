#include "common/device/cuda/cuda_device.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status.h"
#include "common/device/cuda/cuda_status.h"
#include "common/device/cuda/gpu_uuid.h"

namespace kvbroker {
namespace {

// /dev/nvidiactl, wherever a container has put it. The driver exports to a descriptor of this device and imports from
// no other.
constexpr unsigned int kNvidiaMajor = 195;
constexpr unsigned int kNvidiaControlMinor = 255;

constexpr absl::Duration kOwnUseCounts = absl::Seconds(1);

CUmemGenericAllocationHandle HandleOf(RawExtent extent) { return static_cast<CUmemGenericAllocationHandle>(extent); }
RawExtent ExtentOf(CUmemGenericAllocationHandle handle) { return static_cast<RawExtent>(handle); }

CUmemAllocationProp ShareableOn(CUdevice device) {
  CUmemAllocationProp properties = {};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties.location.id = device;
  return properties;
}

absl::StatusOr<std::string> UuidOf(const DriverApi& api, CUdevice device) {
  CUuuid uuid;
  KVB_RETURN_IF_ERROR(CudaStatus(api.device_get_uuid(&uuid, device), "cuDeviceGetUuid", " of device ", device));
  return FormatGpuUuid(uuid.bytes);
}

absl::StatusOr<CUdevice> FindByUuid(const DriverApi& api, absl::string_view uuid) {
  int count = 0;
  KVB_RETURN_IF_ERROR(CudaStatus(api.device_get_count(&count), "cuDeviceGetCount"));
  std::vector<std::string> seen;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    CUdevice device;
    KVB_RETURN_IF_ERROR(CudaStatus(api.device_get(&device, ordinal), "cuDeviceGet", " of ", ordinal));
    KVB_ASSIGN_OR_RETURN(std::string found, UuidOf(api, device));
    if (absl::EqualsIgnoreCase(found, uuid)) return device;
    seen.push_back(std::move(found));
  }
  return absl::NotFoundError(absl::StrCat("no GPU ", uuid, "; there are ", absl::StrJoin(seen, ", ")));
}

absl::StatusOr<CUdevice> FindByOrdinal(const DriverApi& api, int ordinal) {
  int count = 0;
  KVB_RETURN_IF_ERROR(CudaStatus(api.device_get_count(&count), "cuDeviceGetCount"));
  if (ordinal < 0 || ordinal >= count) {
    return absl::NotFoundError(absl::StrCat("no GPU ", ordinal, "; there are ", count, ", counted from 0"));
  }
  CUdevice device;
  KVB_RETURN_IF_ERROR(CudaStatus(api.device_get(&device, ordinal), "cuDeviceGet", " of ", ordinal));
  return device;
}

absl::StatusOr<bool> Has(const DriverApi& api, CUdevice device, CUdevice_attribute attribute) {
  int value = 0;
  KVB_RETURN_IF_ERROR(CudaStatus(api.device_get_attribute(&value, attribute, device), "cuDeviceGetAttribute", " of ",
                                 static_cast<int>(attribute)));
  return value != 0;
}

absl::Status CheckSharesMemory(const DriverApi& api, CUdevice device) {
  KVB_ASSIGN_OR_RETURN(const bool maps, Has(api, device, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED));
  KVB_ASSIGN_OR_RETURN(const bool exports,
                       Has(api, device, CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED));
  if (maps && exports) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("GPU ", device, " or its driver cannot share memory by descriptors"));
}

absl::StatusOr<DeviceInfo> Describe(const DriverApi& api, CUdevice device) {
  char name[256] = {};
  KVB_RETURN_IF_ERROR(
      CudaStatus(api.device_get_name(name, sizeof(name) - 1, device), "cuDeviceGetName", " of device ", device));
  KVB_ASSIGN_OR_RETURN(std::string uuid, UuidOf(api, device));
  const CUmemAllocationProp properties = ShareableOn(device);
  size_t granularity = 0;
  KVB_RETURN_IF_ERROR(
      CudaStatus(api.mem_get_allocation_granularity(&granularity, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
                 "cuMemGetAllocationGranularity"));
  return DeviceInfo{
      .kind = "cuda", .uuid = std::move(uuid), .name = name, .granularity = Bytes(granularity), .ordinal = device};
}

absl::Status CheckIsOfTheDriver(int fd) {
  struct stat st;
  if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == kNvidiaMajor &&
      minor(st.st_rdev) == kNvidiaControlMinor) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("descriptor ", fd, " is no extent of a GPU"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<CudaDevice>> CudaDevice::Open(const Options& options) {
  KVB_ASSIGN_OR_RETURN(const DriverApi* api, DriverApi::Load());
  return OpenForTesting(*api, options);
}

absl::StatusOr<std::unique_ptr<CudaDevice>> CudaDevice::OpenForTesting(const DriverApi& api, const Options& options) {
  KVB_RETURN_IF_ERROR(CudaStatus(api.init(0), "cuInit"));
  KVB_ASSIGN_OR_RETURN(const CUdevice device,
                       options.uuid.empty() ? FindByOrdinal(api, options.ordinal) : FindByUuid(api, options.uuid));
  KVB_RETURN_IF_ERROR(CheckSharesMemory(api, device));
  KVB_ASSIGN_OR_RETURN(DeviceInfo info, Describe(api, device));
  std::unique_ptr<CudaContext> context;
  if (options.role == DeviceRole::kMapper) {
    KVB_ASSIGN_OR_RETURN(context, CudaContext::Attach(api, device));
  }
  std::unique_ptr<CudaDevice> opened(new CudaDevice(api, device, std::move(info), std::move(context)));
  if (options.role == DeviceRole::kOwner) opened->KeepExportsFast();
  return opened;
}

CudaDevice::CudaDevice(const DriverApi& api, CUdevice device, DeviceInfo info, std::unique_ptr<CudaContext> context)
    : api_(api), device_(device), info_(std::move(info)), context_(std::move(context)) {}

CudaDevice::~CudaDevice() {
  if (anchor_ != 0) api_.mem_release(anchor_);
}

void CudaDevice::KeepExportsFast() {
  const CUmemAllocationProp properties = ShareableOn(device_);
  if (api_.mem_create(&anchor_, info_.granularity.in_bytes(), &properties, 0) != CUDA_SUCCESS) {
    anchor_ = 0;
    return;
  }
  absl::StatusOr<UniqueFd> fd = Export(ExtentOf(anchor_));
  if (fd.ok()) anchor_fd_ = *std::move(fd);
}

absl::StatusOr<Nvml*> CudaDevice::OpenNvml() {
  absl::MutexLock lock(&nvml_mu_);
  if (nvml_ == nullptr) {
    KVB_ASSIGN_OR_RETURN(nvml_, Nvml::Open(info_.uuid));
  }
  return nvml_.get();
}

absl::StatusOr<DeviceMemory> CudaDevice::Memory() {
  KVB_ASSIGN_OR_RETURN(Nvml * nvml, OpenNvml());
  KVB_ASSIGN_OR_RETURN(const Nvml::Memory memory, nvml->GetMemory());
  absl::MutexLock lock(&mu_);
  // Going through all processes takes longer than all the rest, and what the caller itself uses hardly changes.
  if (const absl::Time now = MonotonicNow(); now >= own_use_due_) {
    own_use_ = MinusOrZero(nvml->UsedBy(getpid()), made_bytes_);
    own_use_due_ = now + kOwnUseCounts;
    if (const std::optional<uint64_t> xid = nvml->FatalXid(); xid.has_value()) {
      return absl::DataLossError(absl::StrCat(info_.uuid, " has to be reset: Xid ", *xid, " (dmesg tells more)"));
    }
  }
  // NVML counts an extent as its maker's until another process has imported it.
  // What the driver keeps for itself (some 600 MiB on a large GPU) is nobody's use: total is what there is to share.
  return DeviceMemory{.total = memory.used + memory.free, .free = memory.free, .used_by_caller = own_use_};
}

absl::StatusOr<RawExtent> CudaDevice::Create(Bytes bytes) {
  KVB_RETURN_IF_ERROR(CheckMultiple(bytes));
  const CUmemAllocationProp properties = ShareableOn(device_);
  CUmemGenericAllocationHandle handle;
  KVB_RETURN_IF_ERROR(
      CudaStatus(api_.mem_create(&handle, bytes.in_bytes(), &properties, 0), "cuMemCreate", " of ", ToString(bytes)));
  absl::MutexLock lock(&mu_);
  made_[ExtentOf(handle)] = bytes;
  made_bytes_ += bytes;
  return ExtentOf(handle);
}

absl::StatusOr<UniqueFd> CudaDevice::Export(RawExtent extent) {
  int number = -1;
  KVB_RETURN_IF_ERROR(
      CudaStatus(api_.mem_export(&number, HandleOf(extent), CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0),
                 "cuMemExportToShareableHandle"));
  UniqueFd fd(number);
  if (fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) return ErrnoToStatus(errno, "fcntl F_SETFD");
  return fd;
}

absl::StatusOr<RawExtent> CudaDevice::Import(int fd, Bytes bytes) {
  KVB_RETURN_IF_ERROR(CheckMultiple(bytes));
  KVB_RETURN_IF_ERROR(CheckIsOfTheDriver(fd));
  CUmemGenericAllocationHandle handle;
  void* const os_handle = reinterpret_cast<void*>(static_cast<uintptr_t>(fd));
  const CUresult imported = api_.mem_import(&handle, os_handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
  // Seen for a descriptor of the driver's that nothing was exported to.
  if (imported == CUDA_ERROR_UNKNOWN) {
    return absl::InvalidArgumentError(absl::StrCat("descriptor ", fd, " is no extent: the driver does not know it"));
  }
  KVB_RETURN_IF_ERROR(CudaStatus(imported, "cuMemImportFromShareableHandle", " of descriptor ", fd));
  absl::Cleanup release = [this, handle] { api_.mem_release(handle); };
  KVB_RETURN_IF_ERROR(CheckPlace(handle, fd));
  std::move(release).Cancel();
  return ExtentOf(handle);
}

absl::Status CudaDevice::CheckPlace(CUmemGenericAllocationHandle handle, int fd) const {
  CUmemAllocationProp properties = {};
  KVB_RETURN_IF_ERROR(CudaStatus(api_.mem_get_properties(&properties, handle), "cuMemGetAllocationPropertiesFromHandle",
                                 " of descriptor ", fd));
  if (properties.location.type == CU_MEM_LOCATION_TYPE_DEVICE && properties.location.id == device_) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("descriptor ", fd, " is an extent elsewhere, not of ", info_.uuid));
}

absl::StatusOr<uint64_t> CudaDevice::Reserve(Bytes bytes) {
  KVB_RETURN_IF_ERROR(CheckMapper());
  KVB_RETURN_IF_ERROR(CheckMultiple(bytes));
  CUdeviceptr address = 0;
  KVB_RETURN_IF_ERROR(CudaStatus(api_.mem_address_reserve(&address, bytes.in_bytes(), 0, 0, 0), "cuMemAddressReserve",
                                 " of ", ToString(bytes)));
  return address;
}

absl::Status CudaDevice::FreeReservation(uint64_t address, Bytes bytes) {
  return CudaUndoStatus(api_.mem_address_free(address, bytes.in_bytes()), "cuMemAddressFree", " of ", ToString(bytes),
                        " at 0x", absl::Hex(address));
}

absl::Status CudaDevice::Map(uint64_t address, Bytes bytes, RawExtent extent) {
  KVB_RETURN_IF_ERROR(CheckMapper());
  KVB_RETURN_IF_ERROR(CudaStatus(api_.mem_map(address, bytes.in_bytes(), 0, HandleOf(extent), 0), "cuMemMap", " of ",
                                 ToString(bytes), " at 0x", absl::Hex(address)));
  absl::Cleanup unmap = [this, address, bytes] {
    if (const absl::Status undone = Unmap(address, bytes); !undone.ok()) LogError(undone.message());
  };
  CUmemAccessDesc access = {};
  access.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  access.location.id = device_;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  KVB_RETURN_IF_ERROR(CudaStatus(api_.mem_set_access(address, bytes.in_bytes(), &access, 1), "cuMemSetAccess", " of ",
                                 ToString(bytes), " at 0x", absl::Hex(address)));
  std::move(unmap).Cancel();
  return absl::OkStatus();
}

absl::Status CudaDevice::Unmap(uint64_t address, Bytes bytes) {
  return CudaUndoStatus(api_.mem_unmap(address, bytes.in_bytes()), "cuMemUnmap", " of ", ToString(bytes), " at 0x",
                        absl::Hex(address));
}

absl::Status CudaDevice::BindThread() { return context_ == nullptr ? absl::OkStatus() : context_->Bind(); }

absl::Status CudaDevice::Release(RawExtent extent) {
  {
    // Before the driver may give the handle's number to another extent.
    absl::MutexLock lock(&mu_);
    if (const auto it = made_.find(extent); it != made_.end()) {
      made_bytes_ -= it->second;
      made_.erase(it);
    }
  }
  return CudaUndoStatus(api_.mem_release(HandleOf(extent)), "cuMemRelease");
}

absl::Status CudaDevice::CheckMultiple(Bytes bytes) const {
  if (bytes.IsZero() || bytes.in_bytes() % info_.granularity.in_bytes() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToString(bytes), " is no multiple of the granularity, ", ToString(info_.granularity)));
  }
  return absl::OkStatus();
}

absl::Status CudaDevice::CheckMapper() const {
  if (context_ != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(info_.uuid, " is open as owner; reserving and mapping needs it open as mapper"));
}

}  // namespace kvbroker
