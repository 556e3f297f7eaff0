#ifndef KVBROKER_BROKER_CORE_STUCK_WATCH_H_
#define KVBROKER_BROKER_CORE_STUCK_WATCH_H_

#include <algorithm>

#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What was given back, does not become free, and is not to be counted on any more: of what is on its way back the least that
// was at any moment of the last kComes, or up to twice that. A process that says it has let go of memory and has not keeps
// it so, and a want that waits for just these bytes must not keep what is free from others.
//
// Plain values, no I/O. Thread-compatible.
class StuckWatch {
 public:
  // What is given back is free within milliseconds; a process that ends with much memory mapped takes some two seconds.
  static constexpr absl::Duration kComes = absl::Seconds(2);

  // So much is on its way back from now on. To be called at least once in kComes while there is any.
  void See(Bytes returned, absl::Time now) {
    if (now - began_ >= kComes) {
      before_ = now - began_ < 2 * kComes ? least_ : Bytes();
      least_ = returned;
      began_ = now;
    }
    least_ = std::min(least_, returned);
    before_ = std::min(before_, returned);
  }

  Bytes stuck() const { return std::min(before_, least_); }

  // No time has passed meanwhile (the machine slept).
  void Extend(absl::Duration gap) { began_ += gap; }

 private:
  absl::Time began_ = absl::InfinitePast();
  Bytes least_;   // since then
  Bytes before_;  // of the time of the same length before that, and since
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_STUCK_WATCH_H_
