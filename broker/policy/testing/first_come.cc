#include "broker/policy/testing/first_come.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kvbroker {
namespace {

std::vector<PolicyPlan::Grant> PlanGrants(const PolicySnapshot& snapshot) {
  std::vector<const PolicySnapshot::Lease*> waiting;
  for (const PolicySnapshot::Lease& lease : snapshot.leases) {
    if (lease.wanted > lease.held) waiting.push_back(&lease);
  }
  std::sort(waiting.begin(), waiting.end(),
            [](const auto* a, const auto* b) { return a->waiting_since < b->waiting_since; });

  std::vector<Bytes> charged;
  for (const PolicySnapshot::Tenant& tenant : snapshot.tenants) charged.push_back(tenant.charged);

  std::vector<PolicyPlan::Grant> grants;
  Bytes available = snapshot.available;
  for (const PolicySnapshot::Lease* lease : waiting) {
    const uint64_t missing = lease->wanted - lease->held;
    uint64_t allowed = missing;
    if (const std::optional<Bytes>& limit = snapshot.tenants[lease->tenant].policy.limit) {
      allowed = std::min(allowed, MinusOrZero(*limit, charged[lease->tenant]) / lease->slot);
    }
    const uint64_t least = std::min(std::max<uint64_t>(lease->min_useful, 1), missing);
    if (allowed < least) continue;                                          // its own limit holds it back
    if (lease->slot * (lease->held + least) > snapshot.capacity) continue;  // as would waiting: nobody could meet it

    const uint64_t slots = std::min(allowed, available / lease->slot);
    if (slots >= least) {
      grants.push_back({.lease = lease->id, .slots = slots});
      charged[lease->tenant] += lease->slot * slots;
      available -= lease->slot * slots;
    }
    if (slots < allowed) break;  // the device is full: those behind wait their turn
  }
  return grants;
}

std::vector<PolicyPlan::Target> PlanTargets(const PolicySnapshot& snapshot) {
  std::vector<Bytes> over;
  for (const PolicySnapshot::Tenant& tenant : snapshot.tenants) {
    over.push_back(tenant.policy.limit.has_value() ? MinusOrZero(tenant.charged - tenant.returned, *tenant.policy.limit)
                                                   : Bytes());
  }
  std::vector<const PolicySnapshot::Session*> by_size;
  for (const PolicySnapshot::Session& session : snapshot.sessions) by_size.push_back(&session);
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const auto* a, const auto* b) { return a->charged - a->returned > b->charged - b->returned; });

  std::vector<PolicyPlan::Target> targets;
  for (const PolicySnapshot::Session* session : by_size) {
    const PolicySnapshot::Tenant& tenant = snapshot.tenants[session->tenant];
    PolicyPlan::Target target = {.session = session->id};
    if (tenant.policy.limit.has_value()) {
      const Bytes held = session->charged - session->returned;
      const Bytes give_back = std::min(over[session->tenant], held);
      over[session->tenant] -= give_back;
      target.max = give_back.IsZero() ? *tenant.policy.limit : held - give_back;
      target.reason = absl::StrCat("limit of tenant ", tenant.name, ", ", ToString(*tenant.policy.limit));
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

}  // namespace

PolicyPlan FirstComePolicy::Plan(const PolicySnapshot& snapshot) const {
  PolicyPlan plan;
  plan.grants = PlanGrants(snapshot);
  plan.targets = PlanTargets(snapshot);
  return plan;
}

}  // namespace kvbroker
