#include "client/session/session_target.h"

#include <algorithm>

namespace kvbroker {

SessionTarget SessionTarget::Of(const v1::Target& target, absl::Time now) {
  SessionTarget ours = {.urgent = target.urgency() == v1::URGENCY_HIGH};
  if (target.max_bytes() != UINT64_MAX) ours.max = Bytes(target.max_bytes());
  if (target.within_ms() > 0) ours.by = now + absl::Milliseconds(target.within_ms());
  if (target.eviction_age_ms() > 0) ours.eviction_age = absl::Milliseconds(target.eviction_age_ms());
  return ours;
}

std::vector<uint64_t> ShareTarget(std::optional<Bytes> max, const std::vector<ArenaShare>& arenas) {
  if (!max.has_value()) return std::vector<uint64_t>(arenas.size(), UINT64_MAX);
  Bytes mapped;
  for (const ArenaShare& arena : arenas) mapped += arena.slot * arena.mapped;
  const Bytes left = MinusOrZero(*max, mapped);
  Bytes excess = MinusOrZero(mapped, *max);
  std::vector<uint64_t> shares;
  for (const ArenaShare& arena : arenas) {
    const uint64_t give_back = std::min(UnitsFor(excess, arena.slot), arena.mapped);
    excess = MinusOrZero(excess, arena.slot * give_back);
    shares.push_back(arena.mapped - give_back + left / arena.slot);
  }
  return shares;
}

}  // namespace kvbroker
