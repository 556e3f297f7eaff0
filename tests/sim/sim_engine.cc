#include "tests/sim/sim_engine.h"

#include <algorithm>

namespace kvbroker::sim {

void SimEngine::Think() {
  if (connection_ == nullptr) return Connect();
  if (!session_.has_value()) return;
  if (arenas_.empty()) return SimClient::OpenArena({traits_.unit}, slots_);
  if (arena().lease) script_(*this);
}

void SimEngine::Opened(const effect::TellArenaOpened& opened) {
  mine().lease = opened.lease;
  ReportNow();
}

void SimEngine::Erred(const effect::TellError& error) {
  if (error.want_revision != 0) ++refused_wants_;
}

void SimEngine::Want(uint64_t slots, uint64_t min_useful) {
  if (slots == arena().wish && min_useful == arena().min_useful) return;
  Wish(mine(), slots, min_useful);
}

void SimEngine::Use(uint64_t running, absl::Time idle_since) {
  mine().use.running = running;
  idle_since_ = idle_since;
}

Holding SimEngine::HoldingOf(const Arena& arena) {
  Holding holding = {.response = traits_.claims_to_respond};
  const uint64_t mapped = arena.mapped.size();
  if (claims_spare) {
    holding.spare = arena.slot * mapped;
    return holding;
  }
  const uint64_t pinned = std::min(arena.use.pinned, mapped);
  const uint64_t running = std::min(arena.use.running, mapped - pinned);
  holding.pinned = arena.slot * pinned;
  holding.preemptible = arena.slot * running;
  const absl::Duration age = now() - idle_since_;
  const auto bound = std::find_if(kAgeBounds.begin(), kAgeBounds.end(), [age](absl::Duration b) { return age < b; });
  holding.cached_by_age[static_cast<size_t>(bound - kAgeBounds.begin())] = arena.slot * (mapped - pinned - running);
  return holding;
}

void SimEngine::Adopted(Arena& arena) {
  arena.use.pinned = std::max(arena.use.pinned, arena.mapped.size() * pins_of_new / 100);
  Report(arena);
}

}  // namespace kvbroker::sim
