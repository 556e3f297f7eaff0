#ifndef KVBROKER_TESTS_REPLAY_BLOCK_STORE_H_
#define KVBROKER_TESTS_REPLAY_BLOCK_STORE_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "tests/replay/block_pool.h"
#include "tests/replay/pattern.h"
#include "tests/replay/prefix_cache.h"

namespace kvbroker::replay {

// What becomes of the blocks of requests that are done.
struct CacheOptions {
  bool keep = false;                 // they stay as they are, for as long as nothing else needs them
  uint64_t max_blocks = UINT64_MAX;  // so many, beyond that the oldest are evicted
  // So long a request waits for growth before cache is evicted for it, where growing is possible at all. Once that was
  // in vain, no other waits for so long; growth that comes late is welcome all the same.
  absl::Duration grow_within = absl::Milliseconds(20);
  absl::Duration no_growth_for = absl::Seconds(1);
};

// A pool's blocks with what is in them: each is filled with its own pattern when it is taken and verified when it is
// freed or evicted. Between the two it is a request's, or cached.
//
// Blocks are found in this order: free ones; slots that are ready, or that come while growing is possible; the oldest
// cached. Cache older than the eviction age goes before another slot is begun.
//
// Thread-bound where its pattern is.
class BlockStore {
 public:
  struct Counts {
    uint64_t filled = 0;  // blocks
    uint64_t verified = 0;
    uint64_t wrong_words = 0;
    uint64_t evicted = 0;  // of which, from the cache
  };

  // `pool` and `pattern` are not owned and must outlive this. `seed` is of the patterns.
  BlockStore(const CacheOptions& options, uint64_t seed, BlockPool& pool, Pattern& pattern)
      : options_(options), pool_(pool), pattern_(pattern), next_seed_(SpreadSeed(seed)) {}

  const BlockPool& pool() const { return pool_; }
  const PrefixCache& cache() const { return cache_; }
  const Counts& counts() const { return counts_; }
  // Slots that hold what requests need, as Need was told, once everything cached is evicted that could help.
  uint64_t slots_needed() const { return std::max(pool_.slots_taken(), needed_); }
  // Blocks that Take would find now, be it by evicting.
  uint64_t available_blocks() const { return pool_.available_blocks() + cache_.size(); }

  // Cache that nobody used for so long is evicted rather than grown past. Infinite: there is enough for all.
  void SetEvictionAge(absl::Duration age) { eviction_age_ = age; }

  // See BlockPool.
  void SetShrinking(bool shrinking) { pool_.SetShrinking(shrinking); }

  // So many blocks for a request that has `waited` for them so far, or none where they are not to be had now. Not
  // filled yet.
  absl::StatusOr<std::optional<std::vector<FilledBlock>>> Take(uint64_t count, absl::Duration waited,
                                                               absl::Duration now);
  // Fills all that was taken since.
  absl::Status Fill();

  // A request is done with these: they are cached, or freed where nothing is to be kept. REQUIRES: filled.
  absl::Status Finish(absl::Span<const FilledBlock> blocks, absl::Duration now);
  // Verifies and frees. REQUIRES: filled.
  absl::Status Free(absl::Span<const FilledBlock> blocks);

  // Frees slots in which everything is cached, those first that were not used for longest: no more than `most`. Returns
  // how many.
  absl::StatusOr<uint64_t> EvictSlots(uint64_t most);
  // What is left when all is over.
  absl::Status FreeCache();

  // See BlockPool::Need. Whoever waits longest can have cached blocks, too; and what was evicted of late for want of
  // growth is needed still.
  absl::Status Need(uint64_t blocks, uint64_t first, absl::Duration now);

 private:
  absl::Status Evict(absl::Span<const FilledBlock> blocks);
  // Evicts until `count` blocks could be taken, or nothing where that is not enough.
  absl::Status EvictFor(uint64_t count, absl::Duration now);
  absl::Duration Threshold(absl::Duration now) const { return now - eviction_age_; }

  const CacheOptions options_;
  BlockPool& pool_;   // Not owned.
  Pattern& pattern_;  // Not owned.

  PrefixCache cache_;
  absl::Duration eviction_age_ = absl::InfiniteDuration();
  absl::Duration no_growth_until_ = -absl::InfiniteDuration();
  uint64_t in_place_of_growth_ = 0;  // blocks that were evicted for want of it, until then
  std::vector<PatternBlock> taken_;  // not filled yet
  uint64_t next_seed_;
  uint64_t needed_ = 0;  // slots
  Counts counts_;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_BLOCK_STORE_H_
