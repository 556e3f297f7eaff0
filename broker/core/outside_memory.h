#ifndef KVBROKER_BROKER_CORE_OUTSIDE_MEMORY_H_
#define KVBROKER_BROKER_CORE_OUTSIDE_MEMORY_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What a session's process has of the device outside its arenas, as it says: weights, graphs, an allocator's cache; and how
// much of that it keeps without using it, and was asked to let go of.
//
// Invariant: trimmable <= bytes <= the device's total. Plain values. Thread-compatible.
class OutsideMemory {
 public:
  // A step of an engine, and the driver's work: what was asked for counts as coming for so long,
  static constexpr absl::Duration kTrimTakes = absl::Milliseconds(250);
  // and nobody is asked again sooner than after this: what it keeps it may need again.
  static constexpr absl::Duration kTrimRests = absl::Seconds(5);

  Bytes bytes() const { return bytes_; }
  Bytes trimmable() const { return trimmable_; }

  // Its room was settled. Where the process says what it has, that counts alone.
  void Settled(Bytes taken, Bytes total) {
    if (revision_ == 0) bytes_ = std::min(bytes_ + taken, total);
  }
  // Whether it was news, not an older report or a repeat.
  bool Report(uint64_t revision, Bytes bytes, Bytes trimmable, Bytes total) {
    if (revision <= revision_) return false;
    revision_ = revision;
    bytes_ = std::min(bytes, total);
    trimmable_ = std::min(trimmable, bytes_);
    if (trimmable_ + asked_ <= had_) asked_ = Bytes();  // it has let go of as much
    return true;
  }

  // What it can be asked for, and what comes of what it was asked for.
  Bytes CanTrim(absl::Time now) const { return now - asked_at_ < kTrimRests ? Bytes() : trimmable_; }
  Bytes Trimming(absl::Time now) const { return now - asked_at_ < kTrimTakes ? asked_ : Bytes(); }
  void AskToTrim(Bytes bytes, absl::Time now) {
    asked_ = bytes;
    had_ = trimmable_;
    asked_at_ = now;
  }
  bool is_asked() const { return !asked_.IsZero(); }

 private:
  uint64_t revision_ = 0;  // of the newest report; 0: there was none
  Bytes bytes_;
  Bytes trimmable_;
  Bytes asked_;  // nothing, once it has been let go of
  Bytes had_;    // trimmable, when it was asked
  absl::Time asked_at_ = absl::InfinitePast();
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_OUTSIDE_MEMORY_H_
