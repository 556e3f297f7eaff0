#include "tests/replay/prefix_cache.h"

namespace kvbroker::replay {

size_t PrefixCache::CountUnusedSince(absl::Duration time) const {
  size_t count = 0;
  for (auto it = blocks_.begin(); it != blocks_.end() && it->last_use < time; ++it) ++count;
  return count;
}

void PrefixCache::Add(absl::Span<const FilledBlock> blocks, absl::Duration now) {
  for (const FilledBlock& block : blocks) {
    const auto it = blocks_.insert(blocks_.end(), {block, now});
    places_[block.block.slot].emplace(block.block.index, it);
    InSlot& in_slot = by_slot_[block.block.slot];
    ++in_slot.blocks;
    in_slot.last_use = now;
  }
}

std::vector<FilledBlock> PrefixCache::TakeOldest(size_t most) {
  return TakeUnusedSince(absl::InfiniteDuration(), most);
}

std::vector<FilledBlock> PrefixCache::TakeUnusedSince(absl::Duration time, size_t most) {
  std::vector<FilledBlock> taken;
  while (taken.size() < most && !blocks_.empty() && blocks_.front().last_use < time) {
    taken.push_back(TakeOut(blocks_.begin()));
  }
  return taken;
}

std::vector<FilledBlock> PrefixCache::TakeSlots(absl::Span<const uint64_t> slots) {
  std::vector<FilledBlock> taken;
  for (const uint64_t slot : slots) {
    while (places_.contains(slot)) taken.push_back(TakeOut(places_.at(slot).begin()->second));
  }
  return taken;
}

FilledBlock PrefixCache::TakeOut(Blocks::iterator it) {
  const FilledBlock block = it->block;
  const auto places = places_.find(block.block.slot);
  places->second.erase(block.block.index);
  // What stays is younger or as old: blocks leave oldest first, or a slot's all together.
  if (--by_slot_.at(block.block.slot).blocks == 0) by_slot_.erase(block.block.slot);
  if (places->second.empty()) places_.erase(places);
  blocks_.erase(it);
  return block;
}

}  // namespace kvbroker::replay
