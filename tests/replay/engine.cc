#include "tests/replay/engine.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/status.h"

namespace kvbroker::replay {

Engine::Engine(const EngineOptions& options, std::vector<Request> requests, BlockPool& pool, Pattern& pattern)
    : options_(options),
      requests_(std::move(requests)),
      pool_(pool),
      pattern_(pattern),
      next_seed_(SpreadSeed(options.seed)),
      random_(options.seed) {}

absl::Duration Engine::next_arrival() const {
  return next_ < requests_.size() ? requests_[next_].arrival : absl::InfiniteDuration();
}

absl::Status Engine::Step(absl::Duration now) {
  ++counts_.steps;
  Arrive(now);
  KVB_RETURN_IF_ERROR(Resume(now));
  KVB_RETURN_IF_ERROR(Advance(now));
  KVB_RETURN_IF_ERROR(PreemptIfStuck(now));
  return SayNeed(now);
}

absl::Status Engine::Resume(absl::Duration now) {
  KVB_RETURN_IF_ERROR(GrowRunning(now));
  KVB_RETURN_IF_ERROR(Admit(now));
  return FillTaken();
}

void Engine::Arrive(absl::Duration now) {
  if (running_.empty()) last_progress_ = now;
  for (; next_ < requests_.size() && requests_[next_].arrival <= now; ++next_) {
    const Request& request = requests_[next_];
    ++counts_.arrived;
    if (!pool_.CouldHold(pool_.layout().BlocksFor(request.total_tokens()))) {
      ++counts_.too_large;
      continue;
    }
    queue_.push_back({.tokens = request.prompt_tokens, .left = request.output_tokens});
  }
}

absl::Status Engine::GrowRunning(absl::Duration now) {
  stalled_ = 0;
  for (Sequence& sequence : running_) {
    if (HasRoom(sequence)) continue;
    // Once one gets none, the younger ones get none either.
    if (stalled_ == 0) {
      KVB_ASSIGN_OR_RETURN(const bool took, TakeBlocks(1, sequence));
      if (took) {
        EndWait(sequence.waits_since, now);
        continue;
      }
    }
    ++stalled_;
    if (!sequence.waits_since) sequence.waits_since = now;
  }
  return absl::OkStatus();
}

absl::Status Engine::Admit(absl::Duration now) {
  while (stalled_ == 0 && !queue_.empty() && running_.size() < options_.max_batch && now >= admit_after_) {
    Sequence& head = queue_.front();
    KVB_ASSIGN_OR_RETURN(const bool took, TakeBlocks(pool_.layout().BlocksFor(head.tokens), head));
    if (!took) {
      if (!head_waits_since_) head_waits_since_ = now;
      break;
    }
    EndWait(head_waits_since_, now);
    head.prompt_done = false;
    running_.push_back(std::move(head));
    queue_.pop_front();
    last_progress_ = now;
  }
  return absl::OkStatus();
}

absl::Status Engine::Advance(absl::Duration now) {
  for (Sequence& sequence : running_) {
    if (!std::exchange(sequence.prompt_done, true) || !HasRoom(sequence)) continue;
    ++sequence.tokens;
    --sequence.left;
    ++counts_.tokens;
    last_progress_ = now;
  }
  const auto done = std::stable_partition(running_.begin(), running_.end(),
                                          [](const Sequence& sequence) { return sequence.left > 0; });
  counts_.done += static_cast<uint64_t>(running_.end() - done);
  KVB_RETURN_IF_ERROR(Release(absl::MakeSpan(running_).subspan(static_cast<size_t>(done - running_.begin()))));
  running_.erase(done, running_.end());
  return absl::OkStatus();
}

absl::Status Engine::PreemptIfStuck(absl::Duration now) {
  if (stalled_ == 0 || now - last_progress_ < options_.preempt_after) return absl::OkStatus();
  last_progress_ = now;
  do {
    KVB_RETURN_IF_ERROR(PreemptYoungest(now));
  } while (!running_.empty() && pool_.available_blocks() < stalled_);
  if (running_.empty()) {
    // Alone and stuck: another engine has what is missing, and may be as stuck. Both would take back at once what they
    // have just given; different pauses let one of them through.
    const double share = static_cast<double>(random_() >> 11) * 0x1p-53;
    admit_after_ = now + options_.preempt_after * (0.5 + share);
  }
  return absl::OkStatus();
}

absl::Status Engine::PreemptYoungest(absl::Duration now) {
  ++counts_.preemptions;
  Sequence youngest = std::move(running_.back());
  running_.pop_back();
  KVB_RETURN_IF_ERROR(Release(absl::MakeSpan(&youngest, 1)));
  if (youngest.waits_since) --stalled_;
  EndWait(youngest.waits_since, now);
  queue_.push_front(std::move(youngest));
  head_waits_since_.reset();
  return absl::OkStatus();
}

absl::Status Engine::SayNeed(absl::Duration now) {
  if (now < admit_after_) return pool_.Need(0, 0);
  uint64_t blocks = stalled_;
  uint64_t first = stalled_ > 0 ? 1 : 0;
  uint64_t batch = running_.size();
  for (const Sequence& sequence : queue_) {
    if (batch++ >= options_.max_batch) break;
    const uint64_t prompt = pool_.layout().BlocksFor(sequence.tokens);
    if (first == 0) first = prompt;
    blocks += prompt;
  }
  return pool_.Need(blocks, first);
}

bool Engine::HasRoom(const Sequence& sequence) const {
  return pool_.layout().BlocksFor(sequence.tokens + 1) <= sequence.blocks.size();
}

absl::StatusOr<bool> Engine::TakeBlocks(uint64_t count, Sequence& sequence) {
  KVB_ASSIGN_OR_RETURN(const std::optional<std::vector<Block>> blocks, pool_.Take(count));
  if (!blocks) return false;
  ++counts_.takes;
  for (const Block& block : *blocks) {
    const uint64_t seed = SpreadSeed(next_seed_++);
    sequence.blocks.push_back({block, seed});
    taken_.push_back({block.address, seed});
  }
  return true;
}

absl::Status Engine::FillTaken() {
  if (taken_.empty()) return absl::OkStatus();
  KVB_RETURN_IF_ERROR(pattern_.Fill(taken_));
  counts_.blocks_filled += taken_.size();
  taken_.clear();
  return absl::OkStatus();
}

void Engine::EndWait(std::optional<absl::Duration>& since, absl::Duration now) {
  if (since) waits_.push_back(now - *since);
  since.reset();
}

absl::Status Engine::Release(absl::Span<Sequence> sequences) {
  std::vector<PatternBlock> filled;
  std::vector<Block> blocks;
  for (Sequence& sequence : sequences) {
    for (const FilledBlock& block : sequence.blocks) {
      filled.push_back({block.block.address, block.seed});
      blocks.push_back(block.block);
    }
    sequence.blocks.clear();
  }
  if (blocks.empty()) return absl::OkStatus();
  KVB_ASSIGN_OR_RETURN(const uint64_t wrong, pattern_.CountWrongWords(filled));
  counts_.wrong_words += wrong;
  counts_.blocks_verified += filled.size();
  return pool_.Free(blocks);
}

absl::Status Engine::Stop() {
  KVB_RETURN_IF_ERROR(FillTaken());
  KVB_RETURN_IF_ERROR(Release(absl::MakeSpan(running_)));
  return pool_.Need(0, 0);
}

}  // namespace kvbroker::replay
