#ifndef KVBROKER_BROKER_CORE_DUE_WATCH_H_
#define KVBROKER_BROKER_CORE_DUE_WATCH_H_

#include <deque>

#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What a tenant should have by a promise, and since when. A promise with a deadline is broken when the tenant holds less
// than was due to it at every moment of the last so-and-so long. Plain values, no I/O. Thread-compatible.
class DueWatch {
 public:
  // So many rises of what is due are told apart; one beyond them counts when an older one has come to pass.
  static constexpr size_t kMostLevels = 32;

  // From now on so much is due, and it holds so much of it. What it gave back by itself is due from now on only.
  void Set(Bytes due, Bytes held, absl::Time now);

  // The least that was due at any moment of the last `deadline`; calls with a later `now` forget what was before.
  Bytes DueThroughout(absl::Duration deadline, absl::Time now);

  // No time has passed meanwhile (the machine slept).
  void Extend(absl::Duration gap);

 private:
  struct Level {
    Bytes due;
    absl::Time until;
  };
  void Add(const Level& level);

  // Oldest first; levels rise, since what was due before a lower level no longer counts. The last lasts still.
  std::deque<Level> levels_ = {{Bytes(), absl::InfiniteFuture()}};
  Bytes held_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_DUE_WATCH_H_
