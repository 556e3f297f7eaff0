#ifndef KVBROKER_COMMON_DEVICE_CUDA_CUDA_DEVICE_H_
#define KVBROKER_COMMON_DEVICE_CUDA_CUDA_DEVICE_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/unique_fd.h"
#include "common/device/cuda/cuda_context.h"
#include "common/device/cuda/driver_api.h"
#include "common/device/cuda/nvml.h"
#include "common/device/device.h"
#include "common/device/device_role.h"

namespace kvbroker {

// An NVIDIA GPU, through the driver's virtual memory calls. An extent is one cuMemCreate, its descriptor a POSIX file
// descriptor of the driver, a mapping cuMemMap and cuMemSetAccess. What is free is NVML's word, which needs no context.
//
// Opened as owner it makes no context, and reserving and mapping answer FAILED_PRECONDITION; it keeps 2 MiB for as long
// as it is open (see KeepExportsFast). Opened as mapper it has
// one (CudaContext); mapping and unmapping need it bound to the calling thread, the other calls do not.
//
// A process that forks after opening must not use it in the child: the driver does not survive a fork. Thread-safe.
class CudaDevice : public Device {
 public:
  struct Options {
    int ordinal = 0;   // among the GPUs that CUDA_VISIBLE_DEVICES leaves
    std::string uuid;  // "GPU-…"; where it is given, the ordinal does not count
    DeviceRole role = DeviceRole::kMapper;
  };

  // NOT_FOUND: no driver, no GPU, or not this one; says which GPUs there are. UNAVAILABLE: the driver does not start.
  // FAILED_PRECONDITION: the GPU cannot share memory by descriptors.
  static absl::StatusOr<std::unique_ptr<CudaDevice>> Open(const Options& options);
  // `api` is not owned and must outlive the device.
  static absl::StatusOr<std::unique_ptr<CudaDevice>> OpenForTesting(const DriverApi& api, const Options& options);

  ~CudaDevice() override;

  const DeviceInfo& info() const override { return info_; }
  absl::StatusOr<DeviceMemory> Memory() override ABSL_LOCKS_EXCLUDED(mu_, nvml_mu_);
  absl::StatusOr<RawExtent> Create(Bytes bytes) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<UniqueFd> Export(RawExtent extent) override;
  // Checks that `fd` is of the driver and its extent of this GPU. The driver tells no size before mapping: an extent
  // of another size than `bytes` is refused by Map, with INVALID_ARGUMENT.
  absl::StatusOr<RawExtent> Import(int fd, Bytes bytes) override;
  absl::StatusOr<uint64_t> Reserve(Bytes bytes) override;
  absl::Status FreeReservation(uint64_t address, Bytes bytes) override;
  absl::Status Map(uint64_t address, Bytes bytes, RawExtent extent) override;
  absl::Status Unmap(uint64_t address, Bytes bytes) override;
  absl::Status BindThread() override;
  absl::Status Release(RawExtent extent) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  CudaDevice(const DriverApi& api, CUdevice device, DeviceInfo info, std::unique_ptr<CudaContext> context);

  // Keeps one descriptor exported at all times. The driver sets up what all exports share with the first one and tears
  // it down after the last: without this, the first export after a while takes 800 µs instead of 70, and each close of
  // a descriptor 30 µs instead of 10 (measured on an H200, driver 580). A full GPU goes without.
  void KeepExportsFast();
  absl::Status CheckMultiple(Bytes bytes) const;
  absl::Status CheckMapper() const;
  // INVALID_ARGUMENT: the imported `handle` is no memory of this GPU.
  absl::Status CheckPlace(CUmemGenericAllocationHandle handle, int fd) const;
  // Opens NVML on the first call. The result lives as long as this.
  absl::StatusOr<Nvml*> OpenNvml() ABSL_LOCKS_EXCLUDED(nvml_mu_);

  // Constant after construction.
  const DriverApi& api_;  // Not owned; must outlive this.
  const CUdevice device_;
  const DeviceInfo info_;
  const std::unique_ptr<CudaContext> context_;  // null for the owner

  CUmemGenericAllocationHandle anchor_ = 0;  // KeepExportsFast: the owner's, 0 where there is none
  UniqueFd anchor_fd_;

  absl::Mutex nvml_mu_;
  std::unique_ptr<Nvml> nvml_ ABSL_GUARDED_BY(nvml_mu_);

  absl::Mutex mu_;
  absl::flat_hash_map<RawExtent, Bytes> made_ ABSL_GUARDED_BY(mu_);  // and not released
  Bytes made_bytes_ ABSL_GUARDED_BY(mu_);                            // the sum of made_
  Bytes own_use_ ABSL_GUARDED_BY(mu_);                               // of this process beside that, lately
  absl::Time own_use_due_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_CUDA_CUDA_DEVICE_H_
