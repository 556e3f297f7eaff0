#include "common/device/cuda/cuda_context.h"

#include "common/base/log.h"
#include "common/base/status.h"
#include "common/device/cuda/cuda_status.h"

namespace kvbroker {
namespace {

// The calling thread's context if it is one of `device` and still alive, else null.
CUcontext UsableCurrent(const DriverApi& api, CUdevice device) {
  CUcontext current = nullptr;
  CUdevice its_device;
  if (api.ctx_get_current(&current) != CUDA_SUCCESS || current == nullptr) return nullptr;
  if (api.ctx_get_device(&its_device) != CUDA_SUCCESS || its_device != device) return nullptr;
  return current;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CudaContext>> CudaContext::Attach(const DriverApi& api, CUdevice device) {
  if (const CUcontext current = UsableCurrent(api, device); current != nullptr) {
    return std::unique_ptr<CudaContext>(new CudaContext(api, device, current, Ownership::kBorrowed));
  }
  CUcontext primary = nullptr;
  KVB_RETURN_IF_ERROR(
      CudaStatus(api.primary_ctx_retain(&primary, device), "cuDevicePrimaryCtxRetain", " of device ", device));
  return std::unique_ptr<CudaContext>(new CudaContext(api, device, primary, Ownership::kRetained));
}

CudaContext::~CudaContext() {
  if (ownership_ == Ownership::kBorrowed) return;
  // It may end here: whoever opens the device in this thread again must not find it current.
  CUcontext current = nullptr;
  if (api_.ctx_get_current(&current) == CUDA_SUCCESS && current == context_) api_.ctx_set_current(nullptr);
  const absl::Status released =
      CudaUndoStatus(api_.primary_ctx_release(device_), "cuDevicePrimaryCtxRelease", " of device ", device_);
  if (!released.ok()) LogError("leaving the GPU's context failed: ", released.message());
}

absl::Status CudaContext::Bind() {
  CUcontext current = nullptr;
  KVB_RETURN_IF_ERROR(CudaStatus(api_.ctx_get_current(&current), "cuCtxGetCurrent"));
  if (current == context_) return absl::OkStatus();
  return CudaStatus(api_.ctx_set_current(context_), "cuCtxSetCurrent");
}

}  // namespace kvbroker
