#ifndef KVBROKER_BROKER_POLICY_TARGETS_H_
#define KVBROKER_BROKER_POLICY_TARGETS_H_

#include <vector>

#include "broker/policy/policy.h"
#include "broker/policy/reclaim.h"
#include "broker/policy/shortage.h"
#include "broker/policy/situation.h"

namespace kvbroker {

// What each session is told, in the snapshot's order: who is asked, to hold so much less; the others their tenant's
// limit. While memory is short a session that has come down to its target keeps it, unless its tenant should have more.
std::vector<PolicyPlan::Target> MakeTargets(const Situation& situation, const std::vector<Bytes>& entitled,
                                            const Shortage& shortage, const Reclaim& reclaim);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_TARGETS_H_
