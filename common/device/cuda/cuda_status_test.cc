#include "common/device/cuda/cuda_status.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

TEST(CudaStatusTest, SuccessIsOk) { EXPECT_TRUE(CudaStatus(CUDA_SUCCESS, "cuMemMap").ok()); }

TEST(CudaStatusTest, EachResultHasItsCode) {
  const struct {
    CUresult result;
    absl::StatusCode code;
  } cases[] = {
      {CUDA_ERROR_OUT_OF_MEMORY, absl::StatusCode::kResourceExhausted},
      {CUDA_ERROR_INVALID_VALUE, absl::StatusCode::kInvalidArgument},
      {CUDA_ERROR_INVALID_HANDLE, absl::StatusCode::kInvalidArgument},
      {CUDA_ERROR_NOT_SUPPORTED, absl::StatusCode::kInvalidArgument},
      {CUDA_ERROR_INVALID_CONTEXT, absl::StatusCode::kFailedPrecondition},
      {CUDA_ERROR_INVALID_DEVICE, absl::StatusCode::kNotFound},
      {CUDA_ERROR_NOT_PERMITTED, absl::StatusCode::kPermissionDenied},
      {CUDA_ERROR_DEVICE_UNAVAILABLE, absl::StatusCode::kUnavailable},
      {CUDA_ERROR_DEINITIALIZED, absl::StatusCode::kUnavailable},
      {CUDA_ERROR_ILLEGAL_ADDRESS, absl::StatusCode::kUnavailable},
      {CUDA_ERROR_UNKNOWN, absl::StatusCode::kInternal},
  };
  for (const auto& [result, code] : cases) {
    EXPECT_EQ(CudaStatus(result, "cuX").code(), code) << result;
  }
}

TEST(CudaStatusTest, NamesTheCallItsValuesAndTheResult) {
  EXPECT_EQ(CudaStatus(CUDA_ERROR_OUT_OF_MEMORY, "cuMemCreate", " of ", 2, " MiB").message(),
            "cuMemCreate of 2 MiB: CUDA_ERROR_OUT_OF_MEMORY");
  EXPECT_EQ(CudaStatus(CUDA_ERROR_UNKNOWN, "cuMemCreate").message(), "cuMemCreate: CUresult 999");
}

TEST(CudaStatusTest, GivingBackWhileTheProcessEndsIsOk) {
  EXPECT_TRUE(CudaUndoStatus(CUDA_ERROR_DEINITIALIZED, "cuMemRelease").ok());
  EXPECT_EQ(CudaUndoStatus(CUDA_ERROR_INVALID_VALUE, "cuMemRelease").code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kvbroker
