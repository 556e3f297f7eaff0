#ifndef KVBROKER_TESTS_REPLAY_MONOTONIC_H_
#define KVBROKER_TESTS_REPLAY_MONOTONIC_H_

#include <time.h>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace kvbroker::replay {

// Since the machine's boot, by the clock that all its processes share and nobody sets.
using MonotonicTime = absl::Duration;

inline MonotonicTime MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

// What replays in real time has to let it pass.
inline void SleepUntil(MonotonicTime time) {
  const absl::Duration left = time - MonotonicNow();
  if (left > absl::ZeroDuration()) absl::SleepFor(left);
}

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_MONOTONIC_H_
