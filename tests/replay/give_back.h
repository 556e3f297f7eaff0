#ifndef KVBROKER_TESTS_REPLAY_GIVE_BACK_H_
#define KVBROKER_TESTS_REPLAY_GIVE_BACK_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/replay/block_store.h"
#include "tests/replay/engine.h"
#include "tests/replay/target_log.h"

namespace kvbroker::replay {

// How a tenant answers the broker.
struct AnswerOptions {
  absl::Duration after;  // so long it does nothing at first
  bool never = false;    // nothing at all; and it says that all it holds is cached, unused for hours
};

// Gives memory back while more is held than the target, what costs least first: what is ready (the arena does that
// itself) and slots that become empty; slots with nothing but cache, the oldest first; and only when it is urgent or
// the deadline is near, the youngest requests. Meanwhile the pool shrinks: no slot is begun.
//
// Thread-bound where the engine is.
class GiveBack {
 public:
  // Not owned, all three; must outlive this.
  GiveBack(const AnswerOptions& options, const TargetLog& log, BlockStore& store, Engine& engine)
      : options_(options), log_(log), store_(store), engine_(engine) {}

  // Between the engine's steps, and often: does what has to be done at `now`.
  absl::Status Act(absl::Duration now);

 private:
  // Before a deadline: preempting and unmapping take time.
  static constexpr absl::Duration kMargin = absl::Milliseconds(100);

  bool IsTimeToAnswer(absl::Duration now) const;
  bool IsPressing(absl::Duration now) const;
  // Taken slots that are too many.
  uint64_t Excess() const;

  const AnswerOptions options_;
  const TargetLog& log_;  // Not owned.
  BlockStore& store_;     // Not owned.
  Engine& engine_;        // Not owned.
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_GIVE_BACK_H_
