#ifndef KVBROKER_CLIENT_ARENA_HOLDING_REPORT_H_
#define KVBROKER_CLIENT_ARENA_HOLDING_REPORT_H_

#include <array>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What the taken slots of an arena hold, by what it would cost to give it back, cheapest first; the embedder's word. The
// classes do not overlap. What is taken and in none of them counts as preemptible. What is mapped and nobody's (spare)
// is not in it: the library knows that itself.
struct HoldingReport {
  static constexpr size_t kAgeClasses = 8;

  Bytes free;  // empty
  // Reusable, last used within 1 s, 4 s, 16 s, 1 min, 4 min, 16 min, 1 h, and before.
  std::array<Bytes, kAgeClasses> cached_by_age;
  Bytes compactable;  // free once others have been moved
  Bytes preemptible;  // free once requests have been put off
  Bytes pinned;       // not to be had

  Bytes refault;            // computed again because it had been given back; since the arena was made
  absl::Duration response;  // how fast the embedder usually answers a lowered target; 0: unknown
};

// INVALID_ARGUMENT: the classes add up to more than `bound`; names the class at which they do. Or a negative response.
absl::Status CheckHoldingReport(const HoldingReport& report, Bytes bound);

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_ARENA_HOLDING_REPORT_H_
