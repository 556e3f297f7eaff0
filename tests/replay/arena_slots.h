#ifndef KVBROKER_TESTS_REPLAY_ARENA_SLOTS_H_
#define KVBROKER_TESTS_REPLAY_ARENA_SLOTS_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "client/arena/arena.h"
#include "tests/replay/block_pool.h"

namespace kvbroker::replay {

// The slots of an arena of one plane. What is returned stays mapped until the arena itself finds that it has more ready
// slots than its high mark, or than the broker's target leaves it.
class ArenaSlots : public SlotSource {
 public:
  // `arena` is not owned and must outlive this. No more than `most` slots could ever be had: the tenant's limit, or the
  // device's capacity.
  ArenaSlots(Arena& arena, uint64_t most) : arena_(arena), most_(std::min(most, arena.slots())) {}

  uint64_t base() const override { return arena_.base(0); }
  uint64_t slots() const override { return arena_.slots(); }
  uint64_t most() const override { return most_; }
  uint64_t ready() const override { return arena_.stats().ready; }
  bool may_grow() const override {
    const Arena::Stats stats = arena_.stats();
    return stats.mapped < std::min(most_, stats.target);
  }
  std::optional<uint64_t> Take() override { return arena_.Take(); }
  absl::Status Return(uint64_t slot) override { return arena_.Return(slot); }
  absl::Status Retire(uint64_t slot) override { return arena_.Retire({slot}); }
  absl::Status Want(uint64_t slots, uint64_t min_new) override { return arena_.SetWant(slots, min_new); }

 private:
  Arena& arena_;  // Not owned.
  const uint64_t most_;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_ARENA_SLOTS_H_
