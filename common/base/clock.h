#ifndef KVBROKER_COMMON_BASE_CLOCK_H_
#define KVBROKER_COMMON_BASE_CLOCK_H_

#include <time.h>

#include "absl/time/time.h"

namespace kvbroker {

// CLOCK_BOOTTIME, as a time: suspends are in it, jumps of the wall clock are not. For intervals alone: its zero is the
// boot. Thread-safe.
inline absl::Time MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::TimeFromTimespec(now);
}

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_BASE_CLOCK_H_
