#ifndef KVBROKER_CLIENT_SESSION_SESSION_TARGET_H_
#define KVBROKER_CLIENT_SESSION_SESSION_TARGET_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "common/base/bytes.h"
#include "proto/engine.pb.h"

namespace kvbroker {

// The broker's newest word on what a session may hold. Plain values.
struct SessionTarget {
  std::optional<Bytes> max;                // in all arenas together; none: no bound
  absl::Time by = absl::InfiniteFuture();  // on the monotonic clock; infinite: no deadline
  bool urgent = false;
  absl::Duration eviction_age = absl::InfiniteDuration();

  // What came at `now`.
  static SessionTarget Of(const v1::Target& target, absl::Time now);
};

// What one arena of a session has.
struct ArenaShare {
  Bytes slot;
  uint64_t mapped = 0;  // slots
};

// How many slots each arena may have where all together may hold `max`: each may grow by what is left; what is too much
// is asked of one after the other, and no slot that need not go.
std::vector<uint64_t> ShareTarget(std::optional<Bytes> max, const std::vector<ArenaShare>& arenas);

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_SESSION_SESSION_TARGET_H_
