#ifndef KVBROKER_TESTS_REPLAY_TARGET_LOG_H_
#define KVBROKER_TESTS_REPLAY_TARGET_LOG_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker::replay {

// The broker's newest word on what may be held, on the caller's clock.
struct Target {
  std::optional<Bytes> max;                      // none: no bound
  absl::Duration by = absl::InfiniteDuration();  // infinite: no deadline
  bool urgent = false;
};

// The broker's newest target, and how the targets so far were answered.
//
// A tenant is asked from the moment that it holds more than its target until it holds no more: newer targets meanwhile
// belong to that. Thread-compatible; no time that it is told falls.
class TargetLog {
 public:
  struct Counts {
    uint64_t received = 0;  // times it was asked
    uint64_t answered = 0;
    uint64_t late = 0;  // times a deadline went by before it was answered
    Bytes reclaimed;    // less was held when it was answered, or at the last look, than when it was asked
  };

  // The broker said so at `now`; `held` is held at this moment.
  void Told(const Target& target, Bytes held, absl::Duration now);
  void Holds(Bytes held, absl::Duration now);
  // The broker is away: its word counts no more.
  void Forget();

  const Target& target() const { return target_; }
  // Since when it is asked for something that was not given yet; none: it is not.
  std::optional<absl::Duration> asked_since() const { return asked_since_; }

  Counts counts() const;
  // From being asked to holding no more, one for each answer.
  const std::vector<absl::Duration>& answers() const { return answers_; }
  // The median of the newest answers; zero: there was none.
  absl::Duration usual_answer() const;

 private:
  static constexpr size_t kUsual = 8;  // of so many answers

  void Answered(absl::Duration now);
  void NoLongerAsked();

  Target target_;
  std::optional<absl::Duration> asked_since_;
  bool late_ = false;  // counted for what is asked now
  Bytes held_when_asked_;
  Bytes least_held_;  // since
  Counts counts_;     // `reclaimed` without what is asked now
  std::vector<absl::Duration> answers_;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_TARGET_LOG_H_
