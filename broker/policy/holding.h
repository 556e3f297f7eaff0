#ifndef KVBROKER_BROKER_POLICY_HOLDING_H_
#define KVBROKER_BROKER_POLICY_HOLDING_H_

#include <array>
#include <cstdint>

#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker {

// Ages of cached bytes: last used within 1 s, 4 s, 16 s, 1 min, 4 min, 16 min, 1 h, and before.
inline constexpr size_t kAgeClasses = 8;
inline constexpr std::array<absl::Duration, kAgeClasses - 1> kAgeBounds = {
    absl::Seconds(1), absl::Seconds(4),  absl::Seconds(16), absl::Minutes(1),
    absl::Minutes(4), absl::Minutes(16), absl::Hours(1)};

// What a session holds, by what it would cost to give it back, cheapest first; as its client reported it. The classes do
// not overlap. What is held and in none of them counts as preemptible: a client that reports nothing is asked last.
struct Holding {
  Bytes spare;  // mapped, given to nobody
  Bytes free;   // the engine's, empty
  std::array<Bytes, kAgeClasses> cached_by_age;
  Bytes compactable;        // free once others have been moved
  Bytes preemptible;        // free once requests have been put off
  Bytes pinned;             // not to be had
  Bytes refault;            // computed again, since it had been given back; since the arena's opening
  absl::Duration response;  // how fast the engine usually answers a lowered target; 0: unknown

  Bytes Cached() const {
    Bytes sum;
    for (const Bytes bytes : cached_by_age) sum += bytes;
    return sum;
  }
  // Nobody has used it for 4 s and more.
  Bytes Idle() const {
    Bytes sum = spare + free;
    for (size_t age = 2; age < kAgeClasses; ++age) sum += cached_by_age[age];
    return sum;
  }

  // What two arenas of one session hold together.
  Holding& operator+=(const Holding& other) {
    spare += other.spare;
    free += other.free;
    for (size_t age = 0; age < kAgeClasses; ++age) cached_by_age[age] += other.cached_by_age[age];
    compactable += other.compactable;
    preemptible += other.preemptible;
    pinned += other.pinned;
    refault += other.refault;
    response = response > other.response ? response : other.response;
    return *this;
  }

  friend bool operator==(const Holding&, const Holding&) = default;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_HOLDING_H_
