#ifndef KVBROKER_BROKER_POLICY_EVICTION_H_
#define KVBROKER_BROKER_POLICY_EVICTION_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "broker/policy/situation.h"
#include "common/base/bytes.h"

namespace kvbroker {

// While less than so much of the capacity would be free, engines give up old cache rather than grow past it.
inline constexpr uint64_t kFewFreePercent = 2;

// The age of cached bytes beyond which all engines should give them up rather than grow, so that one engine's cold
// cache does not push out another's warm one: the highest bound of kAgeBounds, 1 s at the least, for which older bytes
// of all sessions together are kFewFreePercent of the capacity and what is `missing`. None while more is free than
// that; `available`: after what is granted now.
std::optional<absl::Duration> EvictionAge(const Situation& situation, Bytes available, Bytes missing);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_EVICTION_H_
