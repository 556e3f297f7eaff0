#ifndef KVBROKER_BROKER_POLICY_GRANTS_H_
#define KVBROKER_BROKER_POLICY_GRANTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "broker/policy/policy.h"
#include "broker/policy/reclaim.h"
#include "broker/policy/shares.h"
#include "broker/policy/situation.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What kept a lease from more slots than it was granted.
enum class Obstacle {
  kNone,
  kLimit,        // of its tenant
  kEntitlement,  // of its tenant
  kTarget,       // its session is to give back
  kRoom,         // comes first
  kLending,      // it would not be safe
  kReserve,      // what is available is others' reserve
  kMemory,       // there is none
};

struct Grants {
  std::vector<uint64_t> slots;      // to each lease
  std::vector<Obstacle> obstacles;  // of each lease
  Bytes granted;
  Bytes guarantee_at_risk;  // after the grants
};

// Hands out what is available: never more than that, never beyond a tenant's limit, never fewer slots than are of use
// to a lease, never what others' unused reserves need, nothing to a session that is to give back, and beyond what is
// assured only what can be lent safely (LendingBook), and nothing while room is short.
//
// First those that have less than is assured to them, then the tenant that has the turn, the request that
// it is for before others, then the others up to what they are owed; by rank, then the oldest want. A want that has to wait
// for memory that is on its way keeps what there is from those behind it, if both together will do for it; other obstacles
// keep nothing from anybody. What nothing is kept from is for those who are entitled to more than they are owed.
//
// Shares are in bytes: where nothing is short and nobody is kept from its own, a tenant gets the slot that crosses what it is
// owed, and last the one that crosses its entitlement. It is less than a slot above it then, which nobody reclaims.
Grants PlanGrants(const Situation& situation, const Shares& shares, std::optional<size_t> turn, const Reclaim& reclaim,
                  bool is_short);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_GRANTS_H_
