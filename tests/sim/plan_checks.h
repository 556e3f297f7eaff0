#ifndef KVBROKER_TESTS_SIM_PLAN_CHECKS_H_
#define KVBROKER_TESTS_SIM_PLAN_CHECKS_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "broker/policy/policy.h"
#include "common/base/bytes.h"

namespace kvbroker::sim {

// What must hold of every plan, whatever the snapshot; reckoned apart from the policy. None: all of it does.
//
//   grants      within what is available, limits, wants; no fewer slots than are of use; nothing to who is to give back
//               or missed a target, nothing beyond what is assured while room is short, no further beyond the entitlement
//               than the slot that crosses it
//   reserves    who is granted something leaves to all others what is reserved to them and not used
//   targets     all targets of a tenant together leave it what it is entitled to, of what it holds; where something more
//               urgent than a share lacks memory, less than a slot below that, but what is assured to it; nobody's is below
//               that of its limit while the tenant holds less than its entitlement
std::optional<std::string> WhatIsWrong(const PolicySnapshot& snapshot, const PolicyPlan& plan);

// As above: that the entitlements are those of the oracle, to within what its quantum allows.
std::optional<std::string> WhatIsUnfair(const PolicySnapshot& snapshot, const PolicyPlan& plan);

// What all tenants together have reserved and do not hold, of sessions that are active.
Bytes IdleReserves(const PolicySnapshot& snapshot);

// The tenants with an unmet want that should be met now, and the first such want of each as a line for people: the tenant is
// entitled to it, its limit allows it, memory for it is free, or it is owed it and others hold memory for it that they are
// not entitled to.
std::map<size_t, std::string> WhoIsOwed(const PolicySnapshot& snapshot, const PolicyPlan& plan);

// Lines for people.
std::string Describe(const PolicySnapshot& snapshot, const PolicyPlan& plan);

// Remembers the newest snapshot and plan of a policy, and checks all of them.
class WatchedPolicy : public Policy {
 public:
  // Not owned; must outlive this.
  explicit WatchedPolicy(const Policy& policy) : policy_(policy) {}

  PolicyPlan Plan(const PolicySnapshot& snapshot) const override;

  // Compares each plan with the oracle too, which takes its time.
  void ConsultOracle() { oracle_ = true; }

  uint64_t plans() const { return plans_; }
  const PolicySnapshot& snapshot() const { return snapshot_; }
  const PolicyPlan& plan() const { return plan_; }
  const std::optional<std::string>& wrong() const { return wrong_; }

 private:
  const Policy& policy_;
  bool oracle_ = false;
  mutable uint64_t plans_ = 0;
  mutable PolicySnapshot snapshot_;
  mutable PolicyPlan plan_;
  mutable std::optional<std::string> wrong_;  // the first
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_PLAN_CHECKS_H_
