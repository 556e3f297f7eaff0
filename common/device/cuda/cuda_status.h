#ifndef KVBROKER_COMMON_DEVICE_CUDA_CUDA_STATUS_H_
#define KVBROKER_COMMON_DEVICE_CUDA_CUDA_STATUS_H_

#include <cuda.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace kvbroker {

namespace internal {
absl::Status CudaError(CUresult result, absl::string_view what);
}  // namespace internal

// The status of a call of the driver, with the call and its values, which are written out only where it failed:
//
//   KVB_RETURN_IF_ERROR(CudaStatus(result, "cuMemMap", " of ", ToString(bytes)));
//   → RESOURCE_EXHAUSTED: cuMemMap of 2 MiB: CUDA_ERROR_OUT_OF_MEMORY
//
// RESOURCE_EXHAUSTED: out of memory. INVALID_ARGUMENT: wrong values, or a size that is not the extent's.
// FAILED_PRECONDITION: wrong in this state (mapped already, no context). NOT_FOUND: no such device. PERMISSION_DENIED.
// UNAVAILABLE: the device, or this process's context on it, is lost, or the driver is not (or no longer) initialised.
// INTERNAL: anything else.
template <typename... Values>
absl::Status CudaStatus(CUresult result, absl::string_view call, const Values&... values) {
  if (result == CUDA_SUCCESS) return absl::OkStatus();
  return internal::CudaError(result, absl::StrCat(call, values...));
}

// As CudaStatus, for a call that gives something back: where the driver is shutting down with the process it takes
// everything back itself, and that is OK.
template <typename... Values>
absl::Status CudaUndoStatus(CUresult result, absl::string_view call, const Values&... values) {
  if (result == CUDA_ERROR_DEINITIALIZED) return absl::OkStatus();
  return CudaStatus(result, call, values...);
}

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_CUDA_CUDA_STATUS_H_
