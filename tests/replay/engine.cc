#include "tests/replay/engine.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/status.h"

namespace kvbroker::replay {
namespace {

// So long nothing is asked for after a refusal: one that was on its way already is not taken for the next request's.
constexpr absl::Duration kAfterRefusal = absl::Milliseconds(10);

}  // namespace

Engine::Engine(const EngineOptions& options, std::vector<Request> requests, BlockStore& store)
    : options_(options), requests_(std::move(requests)), store_(store), random_(options.seed) {}

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
  return store_.Fill();
}

void Engine::Arrive(absl::Duration now) {
  if (running_.empty()) last_progress_ = now;
  for (; next_ < requests_.size() && requests_[next_].arrival <= now; ++next_) {
    const Request& request = requests_[next_];
    ++counts_.arrived;
    const uint64_t blocks = store_.pool().layout().BlocksFor(request.total_tokens());
    if (!store_.pool().HasAddressesFor(blocks)) {
      ++counts_.too_large;
      continue;
    }
    queue_.push_back(
        {.tokens = request.prompt_tokens, .left = request.output_tokens, .whole = !store_.pool().CouldHold(blocks)});
  }
}

absl::Status Engine::GrowRunning(absl::Duration now) {
  stalled_ = 0;
  for (Sequence& sequence : running_) {
    if (HasRoom(sequence)) continue;
    // Once one gets none, the younger ones get none either.
    if (stalled_ == 0) {
      KVB_ASSIGN_OR_RETURN(const bool took, TakeBlocks(1, sequence.waits_since, now, sequence));
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
    KVB_ASSIGN_OR_RETURN(const bool took, TakeBlocks(BlocksToStart(head), head_waits_since_, now, head));
    if (!took) {
      if (!head_waits_since_) head_waits_since_ = now;
      break;
    }
    EndWait(head_waits_since_, now);
    counts_.refault_blocks += std::min<uint64_t>(std::exchange(head.given_back, 0), head.blocks.size());
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
  KVB_RETURN_IF_ERROR(Finish(absl::MakeSpan(running_).subspan(static_cast<size_t>(done - running_.begin())), now));
  running_.erase(done, running_.end());
  return absl::OkStatus();
}

absl::Status Engine::PreemptIfStuck(absl::Duration now) {
  if (stalled_ == 0 || now - last_progress_ < options_.preempt_after) return absl::OkStatus();
  last_progress_ = now;
  do {
    KVB_RETURN_IF_ERROR(PreemptYoungest(now));
  } while (!running_.empty() && store_.available_blocks() < stalled_);
  if (running_.empty()) {
    // Alone and stuck: another engine has what is missing, and may be as stuck. Both would take back at once what they
    // have just given; different pauses let one of them through.
    queue_.front().whole = true;
    const double share = static_cast<double>(random_() >> 11) * 0x1p-53;
    admit_after_ = now + options_.preempt_after * (0.5 + share);
  }
  return absl::OkStatus();
}

absl::Status Engine::PreemptYoungest(absl::Duration now) {
  ++counts_.preemptions;
  Sequence youngest = std::move(running_.back());
  running_.pop_back();
  KVB_RETURN_IF_ERROR(store_.Free(youngest.blocks));
  youngest.blocks.clear();
  if (youngest.waits_since) --stalled_;
  EndWait(youngest.waits_since, now);
  queue_.push_front(std::move(youngest));
  head_waits_since_.reset();
  return absl::OkStatus();
}

absl::Status Engine::PreemptForTarget(absl::Duration now) {
  if (running_.empty()) return absl::OkStatus();
  ++counts_.preempted_for_target;
  const uint64_t blocks = running_.back().blocks.size();
  KVB_RETURN_IF_ERROR(PreemptYoungest(now));
  queue_.front().given_back = std::max(queue_.front().given_back, blocks);
  return absl::OkStatus();
}

absl::Status Engine::Refuse(absl::Duration now) {
  if (!asked_for_head_) return absl::OkStatus();
  ++counts_.too_large;
  queue_.pop_front();
  head_waits_since_.reset();
  admit_after_ = now + kAfterRefusal;
  return SayNeed(now);
}

absl::Status Engine::SayNeed(absl::Duration now) {
  asked_for_head_ = false;
  if (now < admit_after_) return store_.Need(0, 0, now);
  uint64_t blocks = stalled_;
  uint64_t first = stalled_ > 0 ? 1 : 0;
  uint64_t batch = running_.size();
  for (const Sequence& sequence : queue_) {
    if (batch++ >= options_.max_batch) break;
    const uint64_t start = BlocksToStart(sequence);
    if (first == 0) {
      first = start;
      asked_for_head_ = true;
    }
    blocks += start;
  }
  return store_.Need(blocks, first, now);
}

bool Engine::HasRoom(const Sequence& sequence) const {
  return store_.pool().layout().BlocksFor(sequence.tokens + 1) <= sequence.blocks.size();
}

uint64_t Engine::BlocksToStart(const Sequence& sequence) const {
  return store_.pool().layout().BlocksFor(sequence.tokens + (sequence.whole ? sequence.left : 0));
}

absl::StatusOr<bool> Engine::TakeBlocks(uint64_t count, std::optional<absl::Duration> since, absl::Duration now,
                                        Sequence& sequence) {
  KVB_ASSIGN_OR_RETURN(const auto blocks, store_.Take(count, now - since.value_or(now), now));
  if (!blocks) return false;
  ++counts_.takes;
  sequence.blocks.insert(sequence.blocks.end(), blocks->begin(), blocks->end());
  return true;
}

void Engine::EndWait(std::optional<absl::Duration>& since, absl::Duration now) {
  if (since) waits_.push_back(now - *since);
  since.reset();
}

absl::Status Engine::Finish(absl::Span<Sequence> sequences, absl::Duration now) {
  std::vector<FilledBlock> blocks;
  for (Sequence& sequence : sequences) {
    blocks.insert(blocks.end(), sequence.blocks.begin(), sequence.blocks.end());
    sequence.blocks.clear();
  }
  return store_.Finish(blocks, now);
}

absl::Status Engine::Stop() {
  KVB_RETURN_IF_ERROR(store_.Fill());
  for (Sequence& sequence : running_) {
    KVB_RETURN_IF_ERROR(store_.Free(sequence.blocks));
    sequence.blocks.clear();
  }
  KVB_RETURN_IF_ERROR(store_.FreeCache());
  return store_.Need(0, 0, absl::ZeroDuration());
}

}  // namespace kvbroker::replay
