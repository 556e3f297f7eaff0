#ifndef KVBROKER_TESTS_REPLAY_CUDA_PATTERN_H_
#define KVBROKER_TESTS_REPLAY_CUDA_PATTERN_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/base/bytes.h"
#include "common/device/device.h"
#include "tests/replay/pattern.h"

namespace kvbroker::replay {

// Patterns in the memory of a GPU, written and verified there by a kernel each, hundreds of blocks in one launch.
// Filling is only started; verifying waits.
//
// Thread-bound: the thread that made it, to which it binds the device.
absl::StatusOr<std::unique_ptr<Pattern>> CreateCudaPattern(Device& device, Bytes block);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_CUDA_PATTERN_H_
