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

  // The session is told anew, and holds `held` at this moment. within 0: no deadline. A bound that asks for more has a
  // deadline of its own; what was asked before keeps the one it had, or is due as early as that.
  void Tell(std::optional<Bytes> max, absl::Duration within, Bytes held, absl::Time now);

  // The newest target is told once more, with something new beside it. An earlier deadline counts, a later one does not.
  void Repeat(absl::Duration within, absl::Time now);
  // What is left until it should hold no more than the newest target, at least 1 ms; 0: there is no deadline, or nothing
  // is asked.
  absl::Duration within(absl::Time now) const;
  // Whether `within` from now is earlier than the deadline, and by more than passes between two plans.
  bool IsSooner(absl::Duration within, absl::Time now) const;

  // The session holds `held` now. Returns whether it has answered by it: it holds no more than its target again.
  bool Holds(Bytes held, absl::Time now);

  // Whether it has become late since the last call: true once, however much more is asked until it has answered what it
  // is late with.
  bool MissedSince(absl::Time now);

  // No time has passed for the client meanwhile (the machine slept): deadlines move by as much.
  void Extend(absl::Duration gap);

  uint64_t revision() const { return revision_; }  // of the newest target; 0: none was told
  std::optional<Bytes> max() const { return max_; }
  bool asked() const { return !asks_.empty(); }
  // Since the oldest ask that is not answered.
  absl::Duration asked_for(absl::Time now) const { return asked() ? now - asks_.front().since : absl::ZeroDuration(); }
  // A deadline of something that is asked is over.
  bool missed() const { return asked() && asks_.front().missed; }
  uint64_t misses() const { return misses_; }
  // The longest that something went unanswered, of what is asked and of what was asked last, if it was until then or later.
  absl::Duration UnansweredFor(absl::Time then, absl::Time now) const;
  // Whether it was late with an answer at any moment since then, or has had that long and not answered.
  bool WasLateSince(absl::Time then) const {
    return missed() || was_late_until_ >= then || (asked() && asks_.front().since <= then);
  }
  // The slowest of the newest answers; 0: there was none.
  absl::Duration response() const;

 private:
  // To hold no more than `max`.
  struct Ask {
    Bytes max;
    absl::Time since;
    absl::Time deadline;
    bool missed = false;
  };

  void AskFor(Bytes max, absl::Duration within, absl::Time now);
  // The oldest ask is answered, or is not asked any more.
  void EndOldest(absl::Time now);

  uint64_t revision_ = 0;
  std::optional<Bytes> max_;
  std::deque<Ask> asks_;  // oldest first: bounds fall, deadlines do not
  absl::Time was_late_until_ = absl::InfinitePast();
  absl::Time withdrawn_ = absl::InfinitePast();  // the last ask that was not answered
  absl::Duration withdrawn_after_;
  uint64_t misses_ = 0;
  std::deque<absl::Duration> answers_;  // newest last
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_TARGET_WATCH_H_
