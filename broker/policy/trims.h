#ifndef KVBROKER_BROKER_POLICY_TRIMS_H_
#define KVBROKER_BROKER_POLICY_TRIMS_H_

#include <vector>

#include "broker/policy/shortage.h"
#include "broker/policy/situation.h"
#include "common/base/bytes.h"

namespace kvbroker {

// Less is not worth the wait for the engine's device.
inline constexpr Bytes kLeastTrim = MiB(64);

// Who lets go of memory outside its arenas that it only keeps.
struct Trims {
  std::vector<PolicyPlan::Trim> asks;
  Bytes coming;  // by these, and by those that were asked lately and have not answered
};

// Where memory is short, and spare and free bytes of those who hold too much are not enough: all that sessions could let
// go of, the largest first, until that covers the rest. Nobody loses anything that is in use, so no entitlement counts.
Trims PlanTrims(const Situation& situation, const std::vector<Bytes>& entitled, const Shortage& shortage);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_TRIMS_H_
