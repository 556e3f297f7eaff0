#include "tests/replay/block_pool.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"

namespace kvbroker::replay {

absl::StatusOr<BlockLayout> BlockLayout::Create(Bytes bytes_per_token, uint64_t block_tokens, Bytes slot) {
  const Bytes block = bytes_per_token * block_tokens;
  if (block.IsZero() || block.in_bytes() % 16 != 0) {
    return absl::InvalidArgumentError(absl::StrCat("a block of ", block_tokens, " tokens of ",
                                                   ToString(bytes_per_token), " is no multiple of 16 bytes"));
  }
  if (block > slot) {
    return absl::InvalidArgumentError(absl::StrCat("a block of ", ToString(block), " (", block_tokens, " tokens of ",
                                                   ToString(bytes_per_token), ") does not fit a slot of ",
                                                   ToString(slot)));
  }
  return BlockLayout(block, block_tokens, slot);
}

absl::StatusOr<std::optional<std::vector<Block>>> BlockPool::Take(uint64_t count) {
  if (MissingSlots(count) > ready()) return std::nullopt;
  std::vector<Block> blocks;
  blocks.reserve(count);
  while (blocks.size() < count) {
    const std::optional<Block> block = TakeOne();
    if (!block) {
      KVB_RETURN_IF_ERROR(Free(blocks));
      return std::nullopt;
    }
    blocks.push_back(*block);
  }
  return blocks;
}

std::optional<Block> BlockPool::TakeOne() {
  if (partly_free_.empty()) {
    const std::optional<uint64_t> slot = source_.Take();
    if (!slot) return std::nullopt;
    Slot taken;
    for (uint64_t i = 0; i < layout_.blocks_per_slot(); ++i) taken.free.push_back(i);
    slots_.emplace(*slot, std::move(taken));
    partly_free_.insert(*slot);
  }
  const uint64_t slot = *partly_free_.begin();
  std::vector<uint64_t>& free = slots_.at(slot).free;
  std::pop_heap(free.begin(), free.end(), std::greater<>());
  const uint64_t index = free.back();
  free.pop_back();
  if (free.empty()) partly_free_.erase(slot);
  ++in_use_;
  return Block{slot, index, source_.base() + slot * layout_.slot().in_bytes() + index * layout_.block().in_bytes()};
}

absl::Status BlockPool::Free(absl::Span<const Block> blocks) {
  for (const Block& block : blocks) KVB_RETURN_IF_ERROR(FreeOne(block));
  return absl::OkStatus();
}

absl::Status BlockPool::FreeOne(const Block& block) {
  const auto it = slots_.find(block.slot);
  KVB_CHECK(it != slots_.end(), "a block of a slot that is not taken is freed");
  std::vector<uint64_t>& free = it->second.free;
  free.push_back(block.index);
  std::push_heap(free.begin(), free.end(), std::greater<>());
  --in_use_;
  if (free.size() < layout_.blocks_per_slot()) {
    partly_free_.insert(block.slot);
    return absl::OkStatus();
  }
  partly_free_.erase(block.slot);
  slots_.erase(it);
  return shrinking_ ? source_.Retire(block.slot) : source_.Return(block.slot);
}

uint64_t BlockPool::MissingSlots(uint64_t blocks) const {
  return blocks > free_blocks() ? layout_.SlotsFor(blocks - free_blocks()) : 0;
}

std::vector<std::pair<uint64_t, uint64_t>> BlockPool::UseBySlot() const {
  std::vector<std::pair<uint64_t, uint64_t>> use;
  use.reserve(slots_.size());
  for (const auto& [slot, state] : slots_) use.emplace_back(slot, layout_.blocks_per_slot() - state.free.size());
  return use;
}

absl::Status BlockPool::Need(uint64_t blocks, uint64_t first, uint64_t evictable) {
  const uint64_t missing = MissingSlots(blocks);
  const uint64_t ready = source_.ready();
  uint64_t wanted = missing == 0 ? 0 : std::min(source_.slots(), slots_taken() + missing);
  uint64_t min_new = 0;
  if (const uint64_t whole = layout_.SlotsFor(first); whole > source_.most()) {
    wanted = std::min(source_.slots(), slots_taken() + ready + whole);
    min_new = std::min(whole, wanted);
  } else if (const uint64_t lacking = MissingSlots(first - std::min(first, evictable)); wanted > 0 && lacking > ready) {
    min_new = std::min(lacking - ready, wanted);
  }
  if (wanted == wanted_ && min_new == min_new_) return absl::OkStatus();
  wanted_ = wanted;
  min_new_ = min_new;
  return source_.Want(wanted, min_new);
}

}  // namespace kvbroker::replay
