#ifndef KVBROKER_CLIENT_SESSION_HOLDING_REPORTER_H_
#define KVBROKER_CLIENT_SESSION_HOLDING_REPORTER_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "client/arena/holding_report.h"
#include "common/base/bytes.h"
#include "proto/engine.pb.h"

namespace kvbroker {

// The message of what an arena holds: the embedder's `report`, and what the library knows itself.
v1::Holding HoldingOf(uint64_t arena_id, Bytes mapped, Bytes spare, const HoldingReport& report,
                      uint64_t target_revision);

// Says when an arena's holdings are to be told to the broker: when they have changed, but no sooner than kPause after
// they were told last (the newest count); and again after kRepeat as long as anything is mapped, because the broker
// takes what is older than 12 s for unknown.
//
// Thread-compatible; time is the caller's.
class HoldingReporter {
 public:
  static constexpr absl::Duration kPause = absl::Milliseconds(50);
  static constexpr absl::Duration kRepeat = absl::Seconds(5);

  // Whether to tell the broker now. Where it says so, `holding` counts as told.
  bool IsDue(const v1::Holding& holding, absl::Time now);

  // When to ask again, whatever happens meanwhile.
  absl::Time next() const { return next_; }
  // What was last asked about has changed and waits for next().
  bool held_back() const { return held_back_; }

  // The broker knows nothing any more.
  void Forget() { *this = HoldingReporter(); }

 private:
  std::string told_;  // serialised; empty: nothing was told
  absl::Time told_at_ = absl::InfinitePast();
  absl::Time next_ = absl::InfiniteFuture();
  bool held_back_ = false;
};

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_SESSION_HOLDING_REPORTER_H_
