#ifndef KVBROKER_COMMON_BASE_POLICY_BOUNDS_H_
#define KVBROKER_COMMON_BASE_POLICY_BOUNDS_H_

#include <cstdint>

#include "absl/time/time.h"

namespace kvbroker {

// What a tenant's policy may say. kvctl checks it to say so early, the broker because it must.
inline constexpr uint32_t kMostWeight = 10'000;  // and at least 1
inline constexpr absl::Duration kShortestDeadline = absl::Milliseconds(10);
inline constexpr absl::Duration kLongestDeadline = absl::Hours(1);

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_BASE_POLICY_BOUNDS_H_
