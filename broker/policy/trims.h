#ifndef KVBROKER_BROKER_POLICY_TRIMS_H_
#define KVBROKER_BROKER_POLICY_TRIMS_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "broker/policy/policy.h"
#include "broker/policy/shortage.h"
#include "broker/policy/situation.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What was asked for comes within so long, or is not waited for any more: a step of the engine, and the driver's work.
// A session that has answered is not asked again sooner either: it wants back what it needs at its next step.
inline constexpr absl::Duration kTrimComes = absl::Milliseconds(250);
// Who has not let go of what it was asked for is not asked again for so long.
inline constexpr absl::Duration kTrimAgain = absl::Seconds(5);
// Less than this is not worth what letting go of it costs the engine: some 50 ms in which it computes nothing.
inline constexpr Bytes kLeastTrim = MiB(256);

// Who lets go of what is trimmable.
struct Trims {
  std::vector<PolicyPlan::Trim> ask;  // asked now
  Bytes coming;                       // counted on: these, and what was asked for lately
};

// Trimmable bytes are asked for before what is cached, from anybody: nobody loses anything that is in use. So they are
// asked for not only for shares, but as long as a want within its limit is not met that they could help to meet: they
// become capacity, which all share. Where it is shares alone that are short, what is spare and free, or asked for already,
// comes before them.
//
// What they free makes room, or capacity, and no more of that than is allowed (`growable`): beyond it they help nobody.
//
// As many are asked for as of others' bytes (kLeastReclaim, kReclaimQuarters), of as few sessions as will do: who has most
// is asked first.
//
// A session's word moves no memory: for kTrimComes after somebody first waited for trims they are counted on, and dearer
// bytes are not asked for in their place; then not again until nobody is short any more. So whatever sessions claim,
// others give back no more than kTrimComes later than they would without.
Trims PlanTrims(const Situation& situation, const std::vector<Bytes>& entitled, std::optional<size_t> turn,
                const Shortage& shortage);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_TRIMS_H_
