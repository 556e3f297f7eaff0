#ifndef KVBROKER_COMMON_DEVICE_CUDA_NVML_H_
#define KVBROKER_COMMON_DEVICE_CUDA_NVML_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/bytes.h"

struct nvmlDevice_st;

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

  // UNAVAILABLE: the GPU is lost.
  absl::StatusOr<Memory> GetMemory() const;

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
  struct Api {
    Result (*init)() = nullptr;
    Result (*shutdown)() = nullptr;
    const char* (*error_string)(Result) = nullptr;
    Result (*device_get_handle_by_uuid)(const char*, Handle*) = nullptr;
    Result (*device_get_memory_info)(Handle, MemoryInfo*) = nullptr;
    Result (*device_get_compute_running_processes)(Handle, unsigned int*, ProcessInfo*) = nullptr;  // may be null

    absl::Status ToStatus(Result result, const std::string& what) const;
  };

  explicit Nvml(const Api& api) : api_(api) {}

  const Api api_;
  Handle device_ = nullptr;  // constant once opened
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_CUDA_NVML_H_
