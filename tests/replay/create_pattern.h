#ifndef KVBROKER_TESTS_REPLAY_CREATE_PATTERN_H_
#define KVBROKER_TESTS_REPLAY_CREATE_PATTERN_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/base/bytes.h"
#include "common/device/device.h"
#include "tests/replay/pattern.h"

namespace kvbroker::replay {

// The pattern for the memory of `device`, which must outlive it. REQUIRES: `block` is a multiple of 16 bytes.
absl::StatusOr<std::unique_ptr<Pattern>> CreatePattern(Device& device, Bytes block);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_CREATE_PATTERN_H_
