#ifndef KVBROKER_TESTS_REPLAY_BLOCK_POOL_H_
#define KVBROKER_TESTS_REPLAY_BLOCK_POOL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/bytes.h"

namespace kvbroker::replay {

// How blocks lie in slots: one after another, none across two slots.
class BlockLayout {
 public:
  // INVALID_ARGUMENT: a block is larger than a slot, or no multiple of 16 bytes.
  static absl::StatusOr<BlockLayout> Create(Bytes bytes_per_token, uint64_t block_tokens, Bytes slot);

  uint64_t block_tokens() const { return block_tokens_; }
  Bytes block() const { return block_; }
  Bytes slot() const { return slot_; }
  uint64_t blocks_per_slot() const { return slot_ / block_; }
  uint64_t BlocksFor(uint64_t tokens) const { return (tokens + block_tokens_ - 1) / block_tokens_; }
  // Slots that hold so many blocks.
  uint64_t SlotsFor(uint64_t blocks) const { return (blocks + blocks_per_slot() - 1) / blocks_per_slot(); }

 private:
  BlockLayout(Bytes block, uint64_t block_tokens, Bytes slot)
      : block_tokens_(block_tokens), block_(block), slot_(slot) {}

  uint64_t block_tokens_;
  Bytes block_;
  Bytes slot_;
};

// Where a pool takes slots from: an arena, or a test's stand-in.
class SlotSource {
 public:
  virtual ~SlotSource() = default;

  // Where slot 0 starts; slot i starts i slots later.
  virtual uint64_t base() const = 0;
  // The most slots there are addresses for.
  virtual uint64_t slots() const = 0;
  // The most slots that could ever be had, as far as is known.
  virtual uint64_t most() const = 0;
  // Slots that could be taken now.
  virtual uint64_t ready() const = 0;
  // Could more come, now?
  virtual bool may_grow() const = 0;

  // A ready slot, the lowest there is. Never waits.
  virtual std::optional<uint64_t> Take() = 0;
  // Gives a taken slot back: it stays ready for as long as the source likes.
  virtual absl::Status Return(uint64_t slot) = 0;
  // Gives a taken slot back for good.
  virtual absl::Status Retire(uint64_t slot) = 0;
  // The pool could use `slots` in all; fewer than `min_new` more would help nobody. 0: no more than it has.
  virtual absl::Status Want(uint64_t slots, uint64_t min_new) = 0;
};

// A block of KV cache in a taken slot.
struct Block {
  uint64_t slot = 0;
  uint64_t index = 0;  // in its slot
  uint64_t address = 0;
};

// The blocks of an engine, carved from slots that are taken when the blocks of the ones before are used up and given
// back as soon as all their blocks are free. Blocks of low slots are given out first, so that high ones drain.
//
// A pool that shrinks takes no slot anew, and those that become empty are given back for good.
//
// Invariants: each taken slot has at least one block out; free_blocks() counts the others of these slots.
// Thread-compatible.
class BlockPool {
 public:
  // `source` is not owned and must outlive this.
  BlockPool(const BlockLayout& layout, SlotSource& source) : layout_(layout), source_(source) {}

  const BlockLayout& layout() const { return layout_; }
  uint64_t blocks_in_use() const { return in_use_; }
  uint64_t free_blocks() const { return slots_.size() * layout_.blocks_per_slot() - in_use_; }
  // That Take would find now: free ones, and those of slots that are ready.
  uint64_t available_blocks() const { return free_blocks() + ready() * layout_.blocks_per_slot(); }
  uint64_t slots_taken() const { return slots_.size(); }
  // Of a taken slot.
  uint64_t blocks_out(uint64_t slot) const { return layout_.blocks_per_slot() - slots_.at(slot).free.size(); }
  // Slots beyond those taken that so many more blocks would take.
  uint64_t MissingSlots(uint64_t blocks) const;
  // All taken slots, each with its blocks that are out.
  std::vector<std::pair<uint64_t, uint64_t>> UseBySlot() const;
  // Could slots come that are not ready yet?
  bool may_grow() const { return !shrinking_ && source_.may_grow(); }
  // Could a request of so many blocks ever be held, as far as is known?
  bool CouldHold(uint64_t blocks) const { return layout_.SlotsFor(blocks) <= source_.most(); }
  bool HasAddressesFor(uint64_t blocks) const { return layout_.SlotsFor(blocks) <= source_.slots(); }

  // So many blocks, or none of them where there are not enough now. Never waits.
  absl::StatusOr<std::optional<std::vector<Block>>> Take(uint64_t count);

  void SetShrinking(bool shrinking) { shrinking_ = shrinking; }

  // Gives blocks back, and slots that become empty. REQUIRES: the blocks came from Take, each is freed once, and
  // nothing uses them any more.
  absl::Status Free(absl::Span<const Block> blocks);

  // Says how many blocks are needed beyond those in use, `first` of them by whoever waits longest, who can have
  // `evictable` ones in use besides. Tells the source when that changes what is wanted.
  //
  // Where `first` is more than could ever be had, all of it is asked for at once, beside what there is: who lends the
  // slots then sees so, too, and says why.
  absl::Status Need(uint64_t blocks, uint64_t first, uint64_t evictable = 0);

 private:
  struct Slot {
    std::vector<uint64_t> free;  // a heap: the lowest on top
  };

  std::optional<Block> TakeOne();
  absl::Status FreeOne(const Block& block);
  // Slots that could be begun.
  uint64_t ready() const { return shrinking_ ? 0 : source_.ready(); }

  const BlockLayout layout_;
  SlotSource& source_;  // Not owned.

  std::map<uint64_t, Slot> slots_;  // taken
  std::set<uint64_t> partly_free_;  // of which some block is free
  uint64_t in_use_ = 0;
  bool shrinking_ = false;
  uint64_t wanted_ = 0;  // as told to the source, and the least that helps
  uint64_t min_new_ = 0;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_BLOCK_POOL_H_
