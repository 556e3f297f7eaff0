#ifndef KVBROKER_BROKER_POLICY_LENDING_H_
#define KVBROKER_BROKER_POLICY_LENDING_H_

#include <cstddef>
#include <vector>

#include "absl/time/time.h"
#include "broker/policy/situation.h"
#include "common/base/bytes.h"

namespace kvbroker {

// Lends guarantees while they are idle, as a bank lends deposits: against what can be had back in time. What is
// reserved is not lent at all.
//
//   idle       what tenants hold less than is guaranteed to them, their reserved part aside
//   revocable  what each tenant holds beyond what is assured to it, as far as its sessions have reported so much that
//              they could give back: spare, free, cached and compactable bytes, preemptible ones too where its class is
//              lower than that of every tenant with an idle guarantee. Sessions count that reported lately, missed no
//              target and answer within the shortest deadline of an idle guarantee. And what is on its way back already
//   instant    min(idle, kGrowthPerSecond x the slowest response of those who count)
//
// What is lent must leave: unlent + revocable >= idle, and unlent >= instant. What was lent a moment ago counts as
// revocable when its session has reported it, and not before.
// Thread-compatible.
class LendingBook {
 public:
  // Of the situation when each tenant has been granted so much of what is assured to it, and `available` is left.
  LendingBook(const Situation& situation, const std::vector<Bytes>& granted, Bytes available);

  // So much may be granted to a tenant beyond what is assured to it; kMostBytes: no guarantee is idle.
  Bytes Lendable(size_t tenant) const;
  // Books a grant: so much of it is the tenant's own guarantee, and so much is beyond; its own reserve is neither.
  void Grant(size_t tenant, Bytes of_guarantee, Bytes beyond);
  // The part of the idle guarantees that could not be had back in time now.
  Bytes AtRisk() const;

 private:
  // What the borrowers have to live up to: the strictest of all idle guarantees.
  struct Terms {
    absl::Duration deadline = absl::InfiniteDuration();
    TenantClass lowest_class = TenantClass::kInteractive;
  };

  void CountRevocable(const Situation& situation, const std::vector<Bytes>& granted, const Terms& terms);

  Bytes unlent_;  // available, and nobody's reserve
  Bytes idle_;
  Bytes revocable_;
  std::vector<Bytes> pledged_;  // reported by each tenant, and not beyond what is assured to it yet
  Bytes instant_;               // of idle guarantees
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_LENDING_H_
