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

namespace {

// Slots of each arena that are `excess` together, or as little more as can be had in one go: one after the other gives what
// fits, and the one with the smallest slots the last one; what need not go any more then stays.
std::vector<uint64_t> GiveBack(Bytes excess, const std::vector<ArenaShare>& arenas) {
  std::vector<uint64_t> gives;
  std::optional<size_t> last;
  for (size_t i = 0; i < arenas.size(); ++i) {
    const ArenaShare& arena = arenas[i];
    gives.push_back(std::min(excess / arena.slot, arena.mapped));
    excess -= arena.slot * gives[i];
    const bool has_more = gives[i] < arena.mapped;
    if (has_more && (!last.has_value() || arena.slot < arenas[*last].slot)) last = i;
  }
  if (excess.IsZero() || !last.has_value()) return gives;
  ++gives[*last];
  Bytes too_much = arenas[*last].slot - excess;  // each slot that an arena has more of is larger than the excess
  for (size_t i = 0; i < arenas.size(); ++i) {
    if (i == *last) continue;
    const uint64_t stay = std::min(too_much / arenas[i].slot, gives[i]);
    gives[i] -= stay;
    too_much -= arenas[i].slot * stay;
  }
  return gives;
}

}  // namespace

std::vector<uint64_t> ShareTarget(std::optional<Bytes> max, const std::vector<ArenaShare>& arenas) {
  if (!max.has_value()) return std::vector<uint64_t>(arenas.size(), UINT64_MAX);
  Bytes mapped;
  for (const ArenaShare& arena : arenas) mapped += arena.slot * arena.mapped;
  const Bytes left = MinusOrZero(*max, mapped);
  std::vector<uint64_t> gives = GiveBack(MinusOrZero(mapped, *max), arenas);
  for (size_t i = 0; i < arenas.size(); ++i) gives[i] = arenas[i].mapped - gives[i] + left / arenas[i].slot;
  return gives;
}

}  // namespace kvbroker
