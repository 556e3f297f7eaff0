#ifndef KVBROKER_TESTS_REPLAY_PREFIX_CACHE_H_
#define KVBROKER_TESTS_REPLAY_PREFIX_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "tests/replay/block_pool.h"

namespace kvbroker::replay {

// A block and the seed of the pattern that it was filled with.
struct FilledBlock {
  Block block;
  uint64_t seed = 0;
};

// The blocks of requests that are done, in the order of their last use. It only remembers them: whoever takes blocks
// out verifies and frees them.
//
// Invariants: by_slot() counts the blocks of each slot that are in here; a slot with none is not in it.
// Thread-compatible.
class PrefixCache {
 public:
  struct InSlot {
    uint64_t blocks = 0;
    absl::Duration last_use;  // of the youngest of them
  };

  size_t size() const { return blocks_.size(); }
  const std::map<uint64_t, InSlot>& by_slot() const { return by_slot_; }
  // How many were not used since `time`.
  size_t CountUnusedSince(absl::Duration time) const;

  // Blocks that were used at `now`, which never falls.
  void Add(absl::Span<const FilledBlock> blocks, absl::Duration now);

  // The oldest, no more than `most`.
  std::vector<FilledBlock> TakeOldest(size_t most);
  // Of those the ones that were not used since `time`.
  std::vector<FilledBlock> TakeUnusedSince(absl::Duration time, size_t most);
  // All of these slots.
  std::vector<FilledBlock> TakeSlots(absl::Span<const uint64_t> slots);

 private:
  struct Cached {
    FilledBlock block;
    absl::Duration last_use;
  };
  using Blocks = std::list<Cached>;

  FilledBlock TakeOut(Blocks::iterator it);

  Blocks blocks_;  // the oldest first
  std::map<uint64_t, InSlot> by_slot_;
  std::map<uint64_t, std::map<uint64_t, Blocks::iterator>> places_;  // by slot and index
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_PREFIX_CACHE_H_
