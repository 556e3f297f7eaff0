#ifndef KVBROKER_BROKER_POLICY_FAIR_SHARE_H_
#define KVBROKER_BROKER_POLICY_FAIR_SHARE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "broker/policy/tenant_policy.h"
#include "common/base/bytes.h"

namespace kvbroker {

// Bytes that nobody used for 4 s and more (Holding::Idle) cost so many times as much of a share as those in use: a tax
// of 75 %, that of ESX. Idle memory thus goes first, and a tenant alone keeps all of it.
inline constexpr uint64_t kIdleCost = 4;

// What one tenant asks for, in bytes.
struct Claim {
  uint32_t weight = 100;
  TenantClass tenant_class = TenantClass::kInteractive;
  Bytes reserved;  // of its demand; before everything else
  Bytes assured;   // of its demand, the reserved part included; after all reserved ones
  Bytes pinned;    // of its demand; it holds them, and cannot give them back
  Bytes need;      // has the turn: so much of its demand comes before the shares; 0: it does not
  Bytes raised;    // so much of its demand competes in the next higher class: it has waited long
  Bytes active;    // its demand is active + idle
  Bytes idle;
};

// What each should have of `total`, in the order of the claims:
//
//   1. what is reserved; 2. what is assured; 3. what is pinned, since nobody else could have it; where there is too
//      little, the higher class first, and within a class everybody the same fraction; 4. the need of who has the turn;
//   5. then by class, the higher first, weighted max-min: there is one level, and who is at it has weight x level of
//      active bytes, and of idle ones a quarter of what is left of that; nobody has less than by 1 to 4, nor more than
//      its demand. A weight is thus about all that a tenant has, not about what it has beyond what is assured to it.
//
// Together it is min(total, sum of the demands) but for one byte a claim and class: equals get the same. More weight
// never means less, more total neither.
std::vector<Bytes> Entitle(Bytes total, absl::Span<const Claim> claims);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_FAIR_SHARE_H_
