#include "broker/policy/eviction.h"

#include "broker/policy/saturating.h"

namespace kvbroker {

std::optional<absl::Duration> EvictionAge(const Situation& situation, Bytes available, Bytes missing) {
  const Bytes few = Scaled(situation.snapshot.capacity, kFewFreePercent, 100);
  if (MinusOrZero(available, missing) > few) return std::nullopt;
  const Bytes needed = Plus(few, missing);
  Bytes older;
  for (size_t age = kAgeClasses - 1; age > 0; --age) {
    for (const SessionState& session : situation.sessions) {
      older = Plus(older, session.priced[kYoungestCached - age]);
    }
    if (older >= needed) return kAgeBounds[age - 1];
  }
  return kAgeBounds[0];
}

}  // namespace kvbroker
