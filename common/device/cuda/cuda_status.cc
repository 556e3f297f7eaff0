#include "common/device/cuda/cuda_status.h"

namespace kvbroker {
namespace {

struct Meaning {
  CUresult result;
  absl::string_view name;
  absl::StatusCode code;
};

#define KVB_MEANS(result, code) \
  Meaning { result, #result, absl::StatusCode::code }

constexpr Meaning kMeanings[] = {
    KVB_MEANS(CUDA_ERROR_OUT_OF_MEMORY, kResourceExhausted),

    KVB_MEANS(CUDA_ERROR_INVALID_VALUE, kInvalidArgument),
    KVB_MEANS(CUDA_ERROR_INVALID_HANDLE, kInvalidArgument),
    // The answer to mapping a part of an extent.
    KVB_MEANS(CUDA_ERROR_NOT_SUPPORTED, kInvalidArgument),

    KVB_MEANS(CUDA_ERROR_INVALID_CONTEXT, kFailedPrecondition),
    KVB_MEANS(CUDA_ERROR_ALREADY_MAPPED, kFailedPrecondition),
    KVB_MEANS(CUDA_ERROR_NOT_MAPPED, kFailedPrecondition),
    KVB_MEANS(CUDA_ERROR_ILLEGAL_STATE, kFailedPrecondition),

    KVB_MEANS(CUDA_ERROR_NO_DEVICE, kNotFound),
    KVB_MEANS(CUDA_ERROR_INVALID_DEVICE, kNotFound),

    KVB_MEANS(CUDA_ERROR_NOT_PERMITTED, kPermissionDenied),

    KVB_MEANS(CUDA_ERROR_NOT_INITIALIZED, kUnavailable),
    KVB_MEANS(CUDA_ERROR_DEINITIALIZED, kUnavailable),
    KVB_MEANS(CUDA_ERROR_STUB_LIBRARY, kUnavailable),
    KVB_MEANS(CUDA_ERROR_DEVICE_UNAVAILABLE, kUnavailable),
    KVB_MEANS(CUDA_ERROR_SYSTEM_NOT_READY, kUnavailable),
    KVB_MEANS(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, kUnavailable),
    KVB_MEANS(CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE, kUnavailable),
    KVB_MEANS(CUDA_ERROR_MPS_CONNECTION_FAILED, kUnavailable),
    KVB_MEANS(CUDA_ERROR_MPS_RPC_FAILURE, kUnavailable),
    KVB_MEANS(CUDA_ERROR_MPS_SERVER_NOT_READY, kUnavailable),
    KVB_MEANS(CUDA_ERROR_ECC_UNCORRECTABLE, kUnavailable),
    KVB_MEANS(CUDA_ERROR_NVLINK_UNCORRECTABLE, kUnavailable),

    // These stick: after one of them, every call on the process's context fails until the process ends.
    KVB_MEANS(CUDA_ERROR_ILLEGAL_ADDRESS, kUnavailable),
    KVB_MEANS(CUDA_ERROR_LAUNCH_TIMEOUT, kUnavailable),
    KVB_MEANS(CUDA_ERROR_CONTEXT_IS_DESTROYED, kUnavailable),
    KVB_MEANS(CUDA_ERROR_ASSERT, kUnavailable),
    KVB_MEANS(CUDA_ERROR_HARDWARE_STACK_ERROR, kUnavailable),
    KVB_MEANS(CUDA_ERROR_ILLEGAL_INSTRUCTION, kUnavailable),
    KVB_MEANS(CUDA_ERROR_MISALIGNED_ADDRESS, kUnavailable),
    KVB_MEANS(CUDA_ERROR_INVALID_ADDRESS_SPACE, kUnavailable),
    KVB_MEANS(CUDA_ERROR_INVALID_PC, kUnavailable),
    KVB_MEANS(CUDA_ERROR_LAUNCH_FAILED, kUnavailable),
};

#undef KVB_MEANS

}  // namespace

absl::Status internal::CudaError(CUresult result, absl::string_view what) {
  for (const Meaning& meaning : kMeanings) {
    if (meaning.result == result) return absl::Status(meaning.code, absl::StrCat(what, ": ", meaning.name));
  }
  return absl::InternalError(absl::StrCat(what, ": CUresult ", static_cast<int>(result)));
}

}  // namespace kvbroker
