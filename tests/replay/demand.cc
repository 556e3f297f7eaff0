#include "tests/replay/demand.h"

#include <algorithm>
#include <set>

#include "common/base/check.h"
#include "tests/replay/block_store.h"

namespace kvbroker::replay {
namespace {

class EndlessSlots : public SlotSource {
 public:
  uint64_t base() const override { return 0; }
  uint64_t slots() const override { return UINT64_MAX; }
  uint64_t most() const override { return UINT64_MAX; }
  uint64_t ready() const override { return UINT64_MAX; }
  bool may_grow() const override { return true; }
  std::optional<uint64_t> Take() override {
    if (returned_.empty()) return next_++;
    return returned_.extract(returned_.begin()).value();
  }
  absl::Status Return(uint64_t slot) override {
    returned_.insert(slot);
    return absl::OkStatus();
  }
  absl::Status Retire(uint64_t slot) override { return Return(slot); }
  absl::Status Want(uint64_t slots, uint64_t min_new) override { return absl::OkStatus(); }

 private:
  uint64_t next_ = 0;
  std::set<uint64_t> returned_;
};

class NoPattern : public Pattern {
 public:
  absl::Status Fill(absl::Span<const PatternBlock> blocks) override { return absl::OkStatus(); }
  absl::StatusOr<uint64_t> CountWrongWords(absl::Span<const PatternBlock> blocks) override { return 0; }
};

}  // namespace

Demand DemandOf(const EngineOptions& options, const std::vector<Request>& requests, const BlockLayout& layout,
                absl::Duration step_time) {
  EndlessSlots slots;
  NoPattern pattern;
  BlockPool pool(layout, slots);
  BlockStore store({}, options.seed, pool, pattern);
  Engine engine(options, requests, store);
  Demand demand;
  absl::Duration now;
  while (!engine.finished()) {
    if (engine.running() == 0 && engine.queued() == 0) now = std::max(now, engine.next_arrival());
    KVB_CHECK(engine.Step(now).ok(), "an engine on paper has nothing that fails");
    demand.peak = std::max(demand.peak, layout.slot() * pool.slots_taken());
    now += step_time;
  }
  demand.ends = now;
  return demand;
}

}  // namespace kvbroker::replay
