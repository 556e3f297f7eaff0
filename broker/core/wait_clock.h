#ifndef KVBROKER_BROKER_CORE_WAIT_CLOCK_H_
#define KVBROKER_BROKER_CORE_WAIT_CLOCK_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace kvbroker {

// Adds up how long something lasts that comes and goes. Plain values. Thread-compatible.
class WaitClock {
 public:
  // It is so now, or it is not. Returns how long it lasted where it has just ended.
  std::optional<absl::Duration> Set(bool is_so, absl::Time now) {
    if (is_so == since_.has_value()) return std::nullopt;
    if (is_so) {
      since_ = now;
      ++times_;
      return std::nullopt;
    }
    const absl::Duration lasted = now - *since_;
    ended_ += lasted;
    since_.reset();
    return lasted;
  }
  // The machine slept meanwhile.
  void Extend(absl::Duration gap) {
    if (since_.has_value()) *since_ += gap;
  }

  bool running() const { return since_.has_value(); }
  absl::Duration current(absl::Time now) const { return running() ? now - *since_ : absl::ZeroDuration(); }
  absl::Duration total(absl::Time now) const { return ended_ + current(now); }
  uint64_t times() const { return times_; }

 private:
  std::optional<absl::Time> since_;
  absl::Duration ended_;
  uint64_t times_ = 0;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_WAIT_CLOCK_H_
