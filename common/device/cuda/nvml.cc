#include "common/device/cuda/nvml.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/device/cuda/shared_library.h"

namespace kvbroker {
namespace {

// Values of nvmlReturn_t.
constexpr int kSuccess = 0;
constexpr int kUninitialized = 1;
constexpr int kInvalidArgument = 2;
constexpr int kNoPermission = 4;
constexpr int kNotFound = 6;
constexpr int kInsufficientSize = 7;
constexpr int kDriverNotLoaded = 9;
constexpr int kGpuIsLost = 15;
constexpr int kResetRequired = 16;
constexpr int kLibRmVersionMismatch = 18;

constexpr unsigned long long kXidErrors = 0x8;  // nvmlEventTypeXidCriticalError

// Those of NVIDIA's catalogue of Xids that a reset alone mends: a halted or silent firmware (62, 119, 120), a GPU that is no
// more on the bus (79), memory errors that could not be contained (95).
constexpr uint64_t kFatalXids[] = {62, 79, 95, 119, 120};

constexpr unsigned long long kNotAvailable = ~0ULL;  // NVML_VALUE_NOT_AVAILABLE
constexpr int kMostTries = 4;                        // to fetch a list of processes that grows meanwhile

absl::StatusCode CodeOf(int result) {
  switch (result) {
    case kInvalidArgument:
      return absl::StatusCode::kInvalidArgument;
    case kNoPermission:
      return absl::StatusCode::kPermissionDenied;
    case kNotFound:
      return absl::StatusCode::kNotFound;
    case kUninitialized:
    case kDriverNotLoaded:
    case kLibRmVersionMismatch:
      return absl::StatusCode::kUnavailable;
    case kGpuIsLost:
    case kResetRequired:
      return absl::StatusCode::kDataLoss;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status Nvml::Api::ToStatus(Result result, const std::string& what) const {
  if (result == kSuccess) return absl::OkStatus();
  return absl::Status(CodeOf(result), absl::StrCat(what, ": ", error_string(result)));
}

absl::StatusOr<std::unique_ptr<Nvml>> Nvml::Open(const std::string& uuid) {
  return OpenForTesting("libnvidia-ml.so.1", uuid);
}

absl::StatusOr<std::unique_ptr<Nvml>> Nvml::OpenForTesting(const std::string& name, const std::string& uuid) {
  KVB_ASSIGN_OR_RETURN(const SharedLibrary library, SharedLibrary::Open(name));
  Api api;
  KVB_RETURN_IF_ERROR(library.Resolve("nvmlInit_v2", api.init));
  KVB_RETURN_IF_ERROR(library.Resolve("nvmlShutdown", api.shutdown));
  KVB_RETURN_IF_ERROR(library.Resolve("nvmlErrorString", api.error_string));
  KVB_RETURN_IF_ERROR(library.Resolve("nvmlDeviceGetHandleByUUID", api.device_get_handle_by_uuid));
  KVB_RETURN_IF_ERROR(library.Resolve("nvmlDeviceGetMemoryInfo_v2", api.device_get_memory_info));
  // Only adds to what is known: a driver without it will do.
  library.Resolve("nvmlDeviceGetComputeRunningProcesses_v3", api.device_get_compute_running_processes).IgnoreError();
  library.Resolve("nvmlEventSetCreate", api.event_set_create).IgnoreError();
  library.Resolve("nvmlEventSetFree", api.event_set_free).IgnoreError();
  library.Resolve("nvmlDeviceRegisterEvents", api.device_register_events).IgnoreError();
  library.Resolve("nvmlEventSetWait_v2", api.event_set_wait).IgnoreError();

  KVB_RETURN_IF_ERROR(api.ToStatus(api.init(), "nvmlInit_v2"));
  std::unique_ptr<Nvml> nvml(new Nvml(api));  // shuts down
  KVB_RETURN_IF_ERROR(api.ToStatus(api.device_get_handle_by_uuid(uuid.c_str(), &nvml->device_),
                                   absl::StrCat("nvmlDeviceGetHandleByUUID of ", uuid)));
  nvml->WatchErrors();
  return nvml;
}

Nvml::~Nvml() {
  if (events_ != nullptr) api_.event_set_free(events_);
  api_.shutdown();
}

void Nvml::WatchErrors() {
  const bool known = api_.event_set_create != nullptr && api_.event_set_free != nullptr &&
                     api_.device_register_events != nullptr && api_.event_set_wait != nullptr;
  if (!known || api_.event_set_create(&events_) != kSuccess) return;
  if (api_.device_register_events(device_, kXidErrors, events_) == kSuccess) return;
  api_.event_set_free(events_);
  events_ = nullptr;
}

std::optional<uint64_t> Nvml::FatalXid() {
  EventData event = {};
  while (events_ != nullptr && api_.event_set_wait(events_, &event, /*timeoutms=*/0) == kSuccess) {
    const bool fatal =
        std::find(std::begin(kFatalXids), std::end(kFatalXids), event.event_data) != std::end(kFatalXids);
    if (fatal && event.event_type == kXidErrors) fatal_xid_ = event.event_data;
  }
  const uint64_t xid = fatal_xid_;
  return xid == 0 ? std::nullopt : std::optional(xid);
}

absl::StatusOr<Nvml::Memory> Nvml::GetMemory() const {
  MemoryInfo info = {.version = sizeof(MemoryInfo) | (2U << 24)};
  KVB_RETURN_IF_ERROR(api_.ToStatus(api_.device_get_memory_info(device_, &info), "nvmlDeviceGetMemoryInfo_v2"));
  return Memory{.total = Bytes(info.total), .free = Bytes(info.free), .used = Bytes(info.used)};
}

Bytes Nvml::UsedBy(pid_t pid) const {
  if (api_.device_get_compute_running_processes == nullptr) return Bytes();
  std::vector<ProcessInfo> processes(32);
  for (int tries = 0; tries < kMostTries; ++tries) {
    auto count = static_cast<unsigned int>(processes.size());
    const Result result = api_.device_get_compute_running_processes(device_, &count, processes.data());
    if (result == kInsufficientSize) {
      processes.resize(2 * std::max<size_t>(count, processes.size()));
      continue;
    }
    if (result != kSuccess) return Bytes();
    processes.resize(count);
    const auto own = std::find_if(processes.begin(), processes.end(),
                                  [pid](const ProcessInfo& process) { return static_cast<pid_t>(process.pid) == pid; });
    if (own == processes.end() || own->used_gpu_memory == kNotAvailable) return Bytes();
    return Bytes(own->used_gpu_memory);
  }
  return Bytes();
}

}  // namespace kvbroker
