#ifndef KVBROKER_BROKER_POLICY_TESTING_FIRST_COME_H_
#define KVBROKER_BROKER_POLICY_TESTING_FIRST_COME_H_

#include "broker/policy/policy.h"

namespace kvbroker {

// A simple policy for tests of what is around it: first come, first served, within limits. The oldest want that its tenant's limit allows gets what is available; those
// behind it wait even where a smaller want would fit, so that nobody starves. A want that only its own limit holds back
// is passed over, and so is one that the whole device could not meet. A tenant over its limit is asked for the
// difference, from the session that holds most; what is on its way back already is not asked for again.
class FirstComePolicy : public Policy {
 public:
  PolicyPlan Plan(const PolicySnapshot& snapshot) const override;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_TESTING_FIRST_COME_H_
