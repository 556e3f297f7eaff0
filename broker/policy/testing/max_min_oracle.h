#ifndef KVBROKER_BROKER_POLICY_TESTING_MAX_MIN_ORACLE_H_
#define KVBROKER_BROKER_POLICY_TESTING_MAX_MIN_ORACLE_H_

#include <optional>
#include <vector>

#include "broker/policy/policy.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What each tenant should have, found in another way than the policy does: from the snapshot as it is, byte by byte so
// to say, by handing out one quantum after the other to whoever paid least for its weight so far. Slow and plain;
// agrees with PolicyPlan::shares to within the quantum for each tenant. `turn`: as the plan has it.
//
// REQUIRES: sums that fit into 2^63; a quantum that is not zero.
std::vector<Bytes> EntitledByQuanta(const PolicySnapshot& snapshot, std::optional<size_t> turn, Bytes quantum);

// Found in the same way: what is not to be lent of guarantees beyond what their tenants want, 4 GB/s while the slowest of those
// who may lend it answers; 50 ms where nobody does.
Bytes StaysUnlent(const PolicySnapshot& snapshot);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_TESTING_MAX_MIN_ORACLE_H_
