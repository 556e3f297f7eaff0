#ifndef KVBROKER_BROKER_CORE_EXTERNAL_WATCH_H_
#define KVBROKER_BROKER_CORE_EXTERNAL_WATCH_H_

#include <cstdint>

#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What a session holds of the device outside of its arenas, what of it it could let go of at once, and what of that it was
// asked to and has not. All of it is the client's word, as large as it likes: who reckons with it cuts it to the device.
//
// A trim is answered by what the client says it holds less since: an allocator lets go of what it can, and not of just
// what it is asked for, so more than half of it is taken for all. What the client claims beside that answers nothing.
//
// Plain values, no I/O. Thread-compatible.
class ExternalWatch {
 public:
  enum class Heard {
    kNothingNew,  // it is no newer than the newest
    kNews,
    kAnswer,  // it let go of some of what it was asked for: the device should be looked at
  };
  // The client's word: it holds `bytes`, of which it could let go of `trimmable`.
  Heard Hear(uint64_t revision, Bytes bytes, Bytes trimmable);
  // A room was settled with so much; all together count as `most` at the most. Counts until the client has said what it
  // holds in all.
  void Settle(Bytes taken, Bytes most);

  // It is asked to let go of so much.
  void Ask(Bytes bytes, absl::Time now);
  // The device has been looked at. The newest look may have been on its way when the client answered, the next was not.
  void Looked();
  bool NeedsLook() const { return looks_needed_ > 0; }

  // No time has passed meanwhile (the machine slept).
  void Extend(absl::Duration gap) { asked_at_ += gap; }

  Bytes bytes() const { return bytes_; }
  Bytes trimmable() const { return trimmable_; }
  // What it was asked for and may let go of still, or has let go of since the newest ask and no look shows yet.
  Bytes coming() const;
  uint64_t revision() const { return revision_; }  // of the newest ask; 0: it was not asked
  // Since it was asked last; infinite: never.
  absl::Duration asked_for(absl::Time now) const { return now - asked_at_; }

 private:
  uint64_t heard_ = 0;  // the newest revision of the client's
  Bytes bytes_;
  Bytes trimmable_;  // at most bytes_
  uint64_t revision_ = 0;
  Bytes asked_;
  Bytes left_;    // of asked_: not let go of; nothing where it is answered
  Bytes unseen_;  // of asked_: let go of, and no look shows it yet
  int looks_needed_ = 0;
  absl::Time asked_at_ = absl::InfinitePast();
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_EXTERNAL_WATCH_H_
