#ifndef KVBROKER_TESTS_REPLAY_ENGINE_H_
#define KVBROKER_TESTS_REPLAY_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/replay/block_store.h"
#include "tests/replay/request.h"

namespace kvbroker::replay {

struct EngineOptions {
  uint64_t max_batch = 1024;  // requests running at once
  // So long without any progress, while some request waits for a block: the youngest are preempted.
  absl::Duration preempt_after = absl::Milliseconds(250);
  uint64_t seed = 1;
};

// A language-model engine as the memory sees it, in steps: requests are admitted first come first served once there are
// blocks for their whole prompt, which is one step's work; then each gets one token a step, and a further block where
// its last one is full. A request that needs a block and gets none stands still while others run. Where nothing moves
// at all, the youngest are preempted until the others can move: their blocks are freed, and they start over later with
// the tokens they had.
//
// A request that could not be finished with what can be had, as far as is known, or that was alone and got nowhere, is
// admitted with all the blocks that it could ever need, or not at all: it never holds some and waits for more. Who
// lends the memory hears of it that way, and may say that so much can never be (Refuse).
//
// It takes the time as a number and never waits. Thread-bound where its store is.
class Engine {
 public:
  struct Counts {
    uint64_t arrived = 0;
    uint64_t done = 0;
    uint64_t too_large = 0;  // refused: never could be held
    uint64_t preemptions = 0;
    uint64_t preempted_for_target = 0;  // of which: somebody else was to have their memory
    uint64_t refault_blocks = 0;        // that those took again
    uint64_t tokens = 0;                // generated
    uint64_t steps = 0;
    uint64_t takes = 0;  // times that blocks were needed and came, with or without waiting
  };

  // `requests` are in the order of arrival. `store` is not owned and must outlive this.
  Engine(const EngineOptions& options, std::vector<Request> requests, BlockStore& store);

  // One step at `now`, which never falls. An error is the store's and leaves nothing to be done.
  absl::Status Step(absl::Duration now);

  // Between steps: blocks that have come since go to those that wait for them.
  absl::Status Resume(absl::Duration now);

  // Between steps: the youngest request's blocks are freed, because somebody else is to have the memory. It starts over
  // later. Does nothing where none runs.
  absl::Status PreemptForTarget(absl::Duration now);

  // Between steps: what the request asked for that waits longest can never be had. It is counted as too large; those
  // behind it go on. Does nothing where the engine asks for nothing on behalf of a request that is not running.
  absl::Status Refuse(absl::Duration now);

  // Verifies and frees all blocks; requests that are not done stay so.
  absl::Status Stop();

  bool finished() const { return next_ == requests_.size() && running_.empty() && queue_.empty(); }
  bool busy() const { return !running_.empty() || !queue_.empty(); }
  // Does some request wait for memory?
  bool short_of_memory() const { return stalled_ > 0 || head_waits_since_.has_value(); }
  size_t running() const { return running_.size(); }
  size_t queued() const { return queue_.size(); }
  // When the next request arrives; InfiniteDuration() where none does.
  absl::Duration next_arrival() const;

  const Counts& counts() const { return counts_; }
  // How long each request that needed blocks and found none waited for them, once it had them.
  const std::vector<absl::Duration>& waits() const { return waits_; }

 private:
  struct Sequence {
    uint64_t tokens = 0;  // in the cache; before it runs: that it starts with
    uint64_t left = 0;    // to be generated
    bool whole = false;   // admitted with all it could need, or not at all
    bool prompt_done = false;
    uint64_t given_back = 0;  // blocks that it had when it was preempted for a target
    std::vector<FilledBlock> blocks;
    std::optional<absl::Duration> waits_since;
  };

  void Arrive(absl::Duration now);
  absl::Status GrowRunning(absl::Duration now);
  absl::Status Admit(absl::Duration now);
  absl::Status Advance(absl::Duration now);
  absl::Status PreemptIfStuck(absl::Duration now);
  absl::Status PreemptYoungest(absl::Duration now);
  absl::Status SayNeed(absl::Duration now);

  // Could the sequence take one more token?
  bool HasRoom(const Sequence& sequence) const;
  // To be admitted with.
  uint64_t BlocksToStart(const Sequence& sequence) const;
  // Whether it got `count` more blocks; it has waited for them since then.
  absl::StatusOr<bool> TakeBlocks(uint64_t count, std::optional<absl::Duration> since, absl::Duration now,
                                  Sequence& sequence);
  void EndWait(std::optional<absl::Duration>& since, absl::Duration now);
  // These are done with.
  absl::Status Finish(absl::Span<Sequence> sequences, absl::Duration now);

  const EngineOptions options_;
  const std::vector<Request> requests_;
  BlockStore& store_;  // Not owned.

  size_t next_ = 0;                // of requests_, to arrive
  std::deque<Sequence> queue_;     // the head is admitted next
  std::vector<Sequence> running_;  // the oldest first
  std::optional<absl::Duration> head_waits_since_;
  size_t stalled_ = 0;           // of running_
  bool asked_for_head_ = false;  // what was last asked for is the head's before all
  absl::Duration last_progress_;
  absl::Duration admit_after_;
  std::mt19937_64 random_;
  Counts counts_;
  std::vector<absl::Duration> waits_;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_ENGINE_H_
