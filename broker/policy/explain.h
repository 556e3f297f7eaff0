#ifndef KVBROKER_BROKER_POLICY_EXPLAIN_H_
#define KVBROKER_BROKER_POLICY_EXPLAIN_H_

#include <cstddef>
#include <string>

#include "broker/policy/policy.h"

namespace kvbroker {

// A rule's name in docs/policy.md, in kvctl's output and in metrics: "share", "limit", ... These do not change.
std::string RuleName(Rule rule);

// Why a lease has what it has and no more, as a sentence with the numbers: "tenant b has its fair share, 12.0 GiB of
// the 20.0 GiB it wants: tenants a, b want 40.0 GiB of 24.0 GiB".
// REQUIRES: the plan is the snapshot's; lease < snapshot.leases.size().
std::string Explain(const PolicySnapshot& snapshot, const PolicyPlan& plan, size_t lease);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_EXPLAIN_H_
