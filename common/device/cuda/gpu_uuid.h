#ifndef KVBROKER_COMMON_DEVICE_CUDA_GPU_UUID_H_
#define KVBROKER_COMMON_DEVICE_CUDA_GPU_UUID_H_

#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace kvbroker {

// A GPU's UUID as nvidia-smi writes it: "GPU-8f14e45f-ceea-467d-9ab3-0123456789ab".
std::string FormatGpuUuid(std::span<const char, 16> bytes);

// Whether `text` is one of the above, letters in either case.
bool IsGpuUuid(absl::string_view text);

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_CUDA_GPU_UUID_H_
