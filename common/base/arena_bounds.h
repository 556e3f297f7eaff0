#ifndef KVBROKER_COMMON_BASE_ARENA_BOUNDS_H_
#define KVBROKER_COMMON_BASE_ARENA_BOUNDS_H_

#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"

namespace kvbroker {

// What an arena may be at the most. The client checks it to say so early, the broker because it must.
inline constexpr size_t kMostPlanes = 250;             // one slot's descriptors fit into one message
inline constexpr uint64_t kMostSlots = 1 << 20;        // of one arena
inline constexpr Bytes kLargestArena = GiB(64 << 10);  // sums over all that clients may open stay far from 2^64

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_BASE_ARENA_BOUNDS_H_
