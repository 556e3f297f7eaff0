#ifndef KVBROKER_BROKER_CORE_TARGET_WATCH_H_
#define KVBROKER_BROKER_CORE_TARGET_WATCH_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker {

// A session's target, and how well the session keeps to it: since when it holds more, whether the deadline is over, and
// how fast it answered before. Plain values, no I/O. Thread-compatible.
class TargetWatch {
 public:
  // So many of the newest answers count.
  static constexpr size_t kAnswers = 8;

  // The session is told anew, and holds `held` at this moment. within 0: no deadline. A bound that asks for more starts
  // the deadline anew; since when it is asked does not change.
  void Tell(std::optional<Bytes> max, absl::Duration within, Bytes held, absl::Time now);

  // The newest target is told once more, with something new beside it. An earlier deadline counts, a later one does not.
  void Repeat(absl::Duration within, absl::Time now);
  // What is left of the deadline, at least 1 ms; 0: there is none, or nothing is asked.
  absl::Duration within(absl::Time now) const;
  // Whether `within` from now is earlier than the deadline, and by more than passes between two plans.
  bool IsSooner(absl::Duration within, absl::Time now) const;

  // The session holds `held` now. Returns whether it has answered by it: it holds no more than its target again.
  bool Holds(Bytes held, absl::Time now);

  // Whether the deadline went by since the last call: true once for each deadline that is missed.
  bool MissedSince(absl::Time now);

  // No time has passed for the client meanwhile (the machine slept): deadlines move by as much.
  void Extend(absl::Duration gap);

  uint64_t revision() const { return revision_; }  // of the newest target; 0: none was told
  std::optional<Bytes> max() const { return max_; }
  bool asked() const { return asked_since_.has_value(); }
  absl::Duration asked_for(absl::Time now) const { return asked() ? now - *asked_since_ : absl::ZeroDuration(); }
  // It is asked, and the deadline is over.
  bool missed() const { return missed_; }
  absl::Time missed_at() const { return missed_at_; }
  uint64_t misses() const { return misses_; }
  // The slowest of the newest answers; 0: there was none.
  absl::Duration response() const;

 private:
  uint64_t revision_ = 0;
  std::optional<Bytes> max_;
  std::optional<absl::Time> asked_since_;
  absl::Time deadline_ = absl::InfiniteFuture();
  bool missed_ = false;
  absl::Time missed_at_;
  uint64_t misses_ = 0;
  std::deque<absl::Duration> answers_;  // newest last
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_TARGET_WATCH_H_
