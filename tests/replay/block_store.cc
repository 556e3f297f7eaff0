#include "tests/replay/block_store.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"

namespace kvbroker::replay {

absl::StatusOr<std::optional<std::vector<FilledBlock>>> BlockStore::Take(uint64_t count, absl::Duration waited,
                                                                         absl::Duration now) {
  if (count > pool_.free_blocks()) {
    KVB_RETURN_IF_ERROR(Evict(cache_.TakeUnusedSince(Threshold(now), count - pool_.free_blocks())));
  }
  const uint64_t had = pool_.slots_taken();
  KVB_ASSIGN_OR_RETURN(std::optional<std::vector<Block>> blocks, pool_.Take(count));
  if (!blocks && cache_.size() > 0) {
    const bool in_vain = waited >= options_.grow_within;
    if (in_vain && now >= no_growth_until_) no_growth_until_ = now + options_.no_growth_for;
    if (now < no_growth_until_ || !pool_.may_grow()) {
      KVB_RETURN_IF_ERROR(EvictFor(count, now));
      KVB_ASSIGN_OR_RETURN(blocks, pool_.Take(count));
    }
  }
  if (!blocks) return std::nullopt;
  const uint64_t grown = (pool_.slots_taken() - std::min(pool_.slots_taken(), had)) * pool_.layout().blocks_per_slot();
  in_place_of_growth_ -= std::min(in_place_of_growth_, grown);
  std::vector<FilledBlock> filled;
  filled.reserve(blocks->size());
  for (const Block& block : *blocks) {
    const uint64_t seed = SpreadSeed(next_seed_++);
    filled.push_back({block, seed});
    taken_.push_back({block.address, seed});
  }
  return filled;
}

absl::Status BlockStore::EvictFor(uint64_t count, absl::Duration now) {
  if (available_blocks() < count) return absl::OkStatus();
  const uint64_t before = cache_.size();
  // More than once: of a pool that shrinks, slots that become empty are gone.
  while (pool_.available_blocks() < count && cache_.size() > 0) {
    KVB_RETURN_IF_ERROR(Evict(cache_.TakeOldest(count - pool_.available_blocks())));
  }
  if (now < no_growth_until_) in_place_of_growth_ += before - cache_.size();
  return absl::OkStatus();
}

absl::Status BlockStore::Fill() {
  if (taken_.empty()) return absl::OkStatus();
  KVB_RETURN_IF_ERROR(pattern_.Fill(taken_));
  counts_.filled += taken_.size();
  taken_.clear();
  return absl::OkStatus();
}

absl::Status BlockStore::Finish(absl::Span<const FilledBlock> blocks, absl::Duration now) {
  if (!options_.keep) return Free(blocks);
  cache_.Add(blocks, now);
  return Evict(cache_.TakeOldest(cache_.size() - std::min<size_t>(cache_.size(), options_.max_blocks)));
}

absl::Status BlockStore::Free(absl::Span<const FilledBlock> filled) {
  if (filled.empty()) return absl::OkStatus();
  std::vector<PatternBlock> patterns;
  std::vector<Block> blocks;
  for (const FilledBlock& block : filled) {
    patterns.push_back({block.block.address, block.seed});
    blocks.push_back(block.block);
  }
  KVB_ASSIGN_OR_RETURN(const uint64_t wrong, pattern_.CountWrongWords(patterns));
  counts_.wrong_words += wrong;
  counts_.verified += patterns.size();
  return pool_.Free(blocks);
}

absl::Status BlockStore::Evict(absl::Span<const FilledBlock> blocks) {
  counts_.evicted += blocks.size();
  return Free(blocks);
}

absl::StatusOr<uint64_t> BlockStore::EvictSlots(uint64_t most) {
  std::vector<std::pair<absl::Duration, uint64_t>> slots;
  for (const auto& [slot, cached] : cache_.by_slot()) {
    if (cached.blocks == pool_.blocks_out(slot)) slots.emplace_back(cached.last_use, slot);
  }
  std::sort(slots.begin(), slots.end());
  slots.resize(std::min<size_t>(slots.size(), most));
  std::vector<uint64_t> chosen;
  for (const auto& [last_use, slot] : slots) chosen.push_back(slot);
  KVB_RETURN_IF_ERROR(Evict(cache_.TakeSlots(chosen)));
  return chosen.size();
}

absl::Status BlockStore::FreeCache() { return Free(cache_.TakeOldest(cache_.size())); }

absl::Status BlockStore::Need(uint64_t blocks, uint64_t first, absl::Duration now) {
  if (now >= no_growth_until_) in_place_of_growth_ = 0;
  const uint64_t old = cache_.CountUnusedSince(Threshold(now));
  needed_ = pool_.slots_taken() + pool_.MissingSlots(blocks - std::min<uint64_t>(blocks, cache_.size()));
  const uint64_t appetite = blocks + in_place_of_growth_;
  return pool_.Need(appetite - std::min(appetite, old), first, cache_.size());
}

}  // namespace kvbroker::replay
