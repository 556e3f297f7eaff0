#ifndef KVBROKER_BROKER_POLICY_TESTING_RANDOM_SNAPSHOT_H_
#define KVBROKER_BROKER_POLICY_TESTING_RANDOM_SNAPSHOT_H_

#include <cstdint>

#include "broker/policy/policy.h"

namespace kvbroker {

enum class Numbers {
  kUsual,    // of a GPU: whole slots of 2 MiB to 1 GiB, up to 80 GiB
  kHostile,  // what clients and operators can claim: up to 2^63, and not in line with each other
};

// Any situation at all, the same for the same seed: up to 8 tenants, some over their limits, guarantees beyond the
// capacity, sessions that are lost, targets from before, rooms being made.
PolicySnapshot RandomSnapshot(uint64_t seed, Numbers numbers = Numbers::kUsual);

// The same where sessions have trimmable bytes too, and some were asked for them.
PolicySnapshot WithTrimmable(PolicySnapshot snapshot, uint64_t seed, Numbers numbers = Numbers::kUsual);

// The same with tenants, sessions and leases in another order.
PolicySnapshot Shuffled(const PolicySnapshot& snapshot, uint64_t seed);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_TESTING_RANDOM_SNAPSHOT_H_
