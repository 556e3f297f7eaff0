#ifndef KVBROKER_BROKER_POLICY_FAIR_POLICY_H_
#define KVBROKER_BROKER_POLICY_FAIR_POLICY_H_

#include "broker/policy/policy.h"

namespace kvbroker {

// Shares the device fairly between tenants that want more than there is, and keeps what was promised to each.
//
//   situation   what each tenant holds, wants and needs; what there is to distribute
//   fair_share  what each should have: reserved, guaranteed, by class, weighted max-min
//   turn        who has its long request first for a while, so that somebody gets on
//   shortage    what is missing for that, and for what
//   reclaim     who gives back, by price; targets tells them
//   grants      who gets what is available; lending says how much of an idle guarantee
//   verdicts    why nobody gets more; eviction: how old a cache may become
//
// Nothing is granted beyond a tenant's entitlement, and nothing is reclaimed below it, so that memory which was
// reclaimed for somebody cannot be won back by who gave it.
//
// REQUIRES of a snapshot: indices are in range; names and ids are unique. Amounts may be anything: clients choose them.
// The order of tenants, sessions and leases decides nothing.
class FairPolicy : public Policy {
 public:
  PolicyPlan Plan(const PolicySnapshot& snapshot) const override;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_FAIR_POLICY_H_
