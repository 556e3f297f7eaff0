#ifndef KVBROKER_COMMON_DEVICE_CUDA_NVML_H_
#define KVBROKER_COMMON_DEVICE_CUDA_NVML_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/bytes.h"

struct nvmlDevice_st;
struct nvmlEventSet_st;

namespace kvbroker {

// One GPU as NVIDIA's management library shows it: who uses how much of it, for the whole device and without a context.
//
// NVML's header is no part of the CUDA headers; the few types needed are declared here. Thread-safe.
class Nvml {
 public:
  struct Memory {
    Bytes total;  // what the driver and the firmware keep for themselves included
    Bytes free;
    Bytes used;  // by processes; total - free - used is kept by the driver
  };

  // `uuid` as nvidia-smi writes it. NOT_FOUND: no such GPU, or no libnvidia-ml. UNAVAILABLE: the driver is not loaded,
  // does not fit to the library, or is too old.
  static absl::StatusOr<std::unique_ptr<Nvml>> Open(const std::string& uuid);
  static absl::StatusOr<std::unique_ptr<Nvml>> OpenForTesting(const std::string& library, const std::string& uuid);

  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  // DATA_LOSS: the GPU is lost, or has to be reset.
  absl::StatusOr<Memory> GetMemory() const;

  // The newest error, by its number (Xid), after which nothing works on the GPU until it is reset; none: there was none
  // since this was opened. Errors of one program alone are not counted.
  std::optional<uint64_t> FatalXid();

  // What a process uses of the GPU. Zero where the driver does not tell: for processes without a context, and across
  // the border of a container.
  Bytes UsedBy(pid_t pid) const;

 private:
  using Result = int;             // nvmlReturn_t
  using Handle = nvmlDevice_st*;  // nvmlDevice_t
  struct MemoryInfo {             // nvmlMemory_v2_t
    unsigned int version;
    unsigned long long total;
    unsigned long long reserved;
    unsigned long long free;
    unsigned long long used;
  };
  struct ProcessInfo {  // nvmlProcessInfo_v2_t
    unsigned int pid;
    unsigned long long used_gpu_memory;
    unsigned int gpu_instance_id;
    unsigned int compute_instance_id;
  };
  using EventSet = nvmlEventSet_st*;  // nvmlEventSet_t
  struct EventData {                  // nvmlEventData_t
    Handle device;
    unsigned long long event_type;
    unsigned long long event_data;
    unsigned int gpu_instance_id;
    unsigned int compute_instance_id;
  };
  struct Api {
    Result (*init)() = nullptr;
    Result (*shutdown)() = nullptr;
    const char* (*error_string)(Result) = nullptr;
    Result (*device_get_handle_by_uuid)(const char*, Handle*) = nullptr;
    Result (*device_get_memory_info)(Handle, MemoryInfo*) = nullptr;
    Result (*device_get_compute_running_processes)(Handle, unsigned int*, ProcessInfo*) = nullptr;  // may be null

    // May be null, all of them: a driver that tells of no events.
    Result (*event_set_create)(EventSet*) = nullptr;
    Result (*event_set_free)(EventSet) = nullptr;
    Result (*device_register_events)(Handle, unsigned long long, EventSet) = nullptr;
    Result (*event_set_wait)(EventSet, EventData*, unsigned int) = nullptr;

    absl::Status ToStatus(Result result, const std::string& what) const;
  };

  explicit Nvml(const Api& api) : api_(api) {}

  // Errors that come from now on are told of.
  void WatchErrors();

  const Api api_;
  Handle device_ = nullptr;    // constant once opened
  EventSet events_ = nullptr;  // the same; null: there are none
  std::atomic<uint64_t> fatal_xid_{0};
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_CUDA_NVML_H_
