#ifndef KVBROKER_COMMON_DEVICE_CUDA_CUDA_CONTEXT_H_
#define KVBROKER_COMMON_DEVICE_CUDA_CUDA_CONTEXT_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/device/cuda/driver_api.h"

namespace kvbroker {

// The context in which a process maps: the one that is current where it is attached, if that is one of the device, so
// that an embedder with a context of its own sees the mappings in it; else the device's primary context, which is the
// one that the CUDA runtime and with it every framework uses.
//
// The primary context is retained until the end of this; a context found current is its owner's and must outlive this.
// Thread-safe.
class CudaContext {
 public:
  // REQUIRES: the driver is initialised. `api` is not owned and must outlive the context.
  static absl::StatusOr<std::unique_ptr<CudaContext>> Attach(const DriverApi& api, CUdevice device);

  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  // Makes it current in the calling thread. Cheap where it is already.
  absl::Status Bind();

 private:
  enum class Ownership { kRetained, kBorrowed };

  CudaContext(const DriverApi& api, CUdevice device, CUcontext context, Ownership ownership)
      : api_(api), device_(device), context_(context), ownership_(ownership) {}

  const DriverApi& api_;  // Not owned; must outlive this.
  const CUdevice device_;
  const CUcontext context_;
  const Ownership ownership_;
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_CUDA_CUDA_CONTEXT_H_
