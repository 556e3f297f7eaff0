#include "tests/sim/plan_checks.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/policy/saturating.h"
#include "broker/policy/testing/max_min_oracle.h"

namespace kvbroker::sim {
namespace {

using Problem = std::optional<std::string>;

template <typename... Parts>
Problem Wrong(const Parts&... parts) {
  return absl::StrCat(parts...);
}

// What a plan makes of a snapshot, by tenant and session.
struct Outcome {
  std::vector<Bytes> held;      // of active sessions, by tenant
  std::vector<Bytes> got;       // by tenant
  std::vector<Bytes> slot;      // by tenant: the largest of its leases
  std::vector<Bytes> got_of;    // by session
  std::vector<Bytes> reserved;  // by tenant: what it may count on still
  std::vector<Bytes> assured;   // the same
  Bytes granted;

  Outcome(const PolicySnapshot& snapshot, const PolicyPlan& plan)
      : held(snapshot.tenants.size()),
        got(held.size()),
        slot(held.size()),
        got_of(snapshot.sessions.size()),
        reserved(held.size()),
        assured(held.size()) {
    for (const PolicySnapshot::Session& session : snapshot.sessions) held[session.tenant] += session.Held();
    std::map<LeaseId, const PolicySnapshot::Lease*> leases;
    for (const PolicySnapshot::Lease& lease : snapshot.leases) {
      leases[lease.id] = &lease;
      slot[lease.tenant] = std::max(slot[lease.tenant], lease.slot);
    }
    for (const PolicyPlan::Grant& grant : plan.grants) {
      const auto it = leases.find(grant.lease);
      if (it == leases.end()) continue;
      const Bytes bytes = it->second->slot * grant.slots;
      got[it->second->tenant] += bytes;
      got_of[it->second->session] += bytes;
      granted += bytes;
    }
    for (size_t i = 0; i < held.size(); ++i) {
      const PolicySnapshot::Tenant& tenant = snapshot.tenants[i];
      const Bytes limit = MinusOrZero(tenant.MayHold().value_or(kMostBytes), Immovable(snapshot, i));
      reserved[i] = std::min(MinusOrZero(tenant.policy.reserved, Immovable(snapshot, i)), limit);
      assured[i] = std::min(MinusOrZero(tenant.policy.assured(), Immovable(snapshot, i)), limit);
    }
  }

  Bytes Immovable(const PolicySnapshot& snapshot, size_t i) const {
    return MinusOrZero(snapshot.tenants[i].Held(), held[i]);
  }
  Bytes IdleReserve(size_t i) const { return MinusOrZero(reserved[i], held[i] + got[i]); }
  Bytes IdleGuarantee(size_t i) const { return MinusOrZero(MinusOrZero(assured[i], held[i] + got[i]), IdleReserve(i)); }
  Bytes IdleReserves() const {
    Bytes sum;
    for (size_t i = 0; i < held.size(); ++i) sum = Plus(sum, IdleReserve(i));
    return sum;
  }
};

Problem CheckGrants(const PolicySnapshot& snapshot, const PolicyPlan& plan, const Outcome& outcome) {
  std::map<LeaseId, uint64_t> slots;
  for (const PolicyPlan::Grant& grant : plan.grants) {
    if (grant.slots == 0 || !slots.emplace(grant.lease, grant.slots).second) return Wrong("a grant of nothing, or two");
  }
  for (const PolicySnapshot::Lease& lease : snapshot.leases) {
    const auto grant = slots.find(lease.id);
    if (grant == slots.end()) continue;
    const PolicySnapshot::Session& session = snapshot.sessions[lease.session];
    const std::optional<Bytes>& max = plan.targets[lease.session].max;
    const auto what = absl::StrCat(" (lease ", lease.id.value(), ", ", grant->second, " slots)");
    if (lease.held + grant->second > lease.wanted) return Wrong("granted more than wanted", what);
    if (grant->second < lease.Least()) return Wrong("granted fewer slots than are of use", what);
    if (session.missed_target) return Wrong("granted to who missed a target", what);
    if (max.has_value() && session.Held() + outcome.got_of[lease.session] > *max) {
      return Wrong("granted beyond the session's target", what);
    }
    slots.erase(grant);
  }
  if (!slots.empty()) return Wrong("granted to a lease that is not there");
  if (outcome.granted > snapshot.available) {
    return Wrong("granted ", ToString(outcome.granted), " of ", ToString(snapshot.available));
  }
  for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
    if (outcome.got[i].IsZero()) continue;
    const PolicySnapshot::Tenant& tenant = snapshot.tenants[i];
    if (Plus(tenant.charged, outcome.got[i]) > tenant.MayHold().value_or(kMostBytes)) {
      return Wrong("tenant ", tenant.name, " is granted beyond its limit");
    }
    const Bytes now = outcome.held[i] + outcome.got[i];
    if (now >= Plus(plan.shares[i].entitled, outcome.slot[i])) {
      return Wrong("tenant ", tenant.name, " is granted up to ", ToString(now), ", entitled to ",
                   ToString(plan.shares[i].entitled));
    }
    if (!snapshot.room_short.IsZero() && now > outcome.assured[i]) {
      return Wrong("tenant ", tenant.name, " is granted what room lacks");
    }
    const Bytes others = MinusOrZero(outcome.IdleReserves(), outcome.IdleReserve(i));
    if (snapshot.available - outcome.granted < others) {
      return Wrong("tenant ", tenant.name,
                   " is granted what is reserved to others: ", ToString(snapshot.available - outcome.granted),
                   " are left of ", ToString(others));
    }
  }
  return std::nullopt;
}

Problem CheckTargets(const PolicySnapshot& snapshot, const PolicyPlan& plan, const Outcome& outcome) {
  std::vector<Bytes> left(snapshot.tenants.size());
  bool urgent = false;
  for (size_t s = 0; s < snapshot.sessions.size(); ++s) {
    const PolicySnapshot::Session& session = snapshot.sessions[s];
    const PolicyPlan::Target& target = plan.targets[s];
    urgent = urgent || target.urgent;
    if (target.session != session.id) return Wrong("targets out of order");
    left[session.tenant] += std::min(session.Held(), target.max.value_or(kMostBytes));
    const Bytes limit = snapshot.tenants[session.tenant].MayHold().value_or(kMostBytes);
    const bool lowered = target.max.value_or(kMostBytes) < limit;
    if (lowered && outcome.held[session.tenant] < plan.shares[session.tenant].entitled) {
      return Wrong("session ", session.id.value(), " is kept at ", ToString(*target.max),
                   ", its tenant holds less than ", ToString(plan.shares[session.tenant].entitled));
    }
    if (target.max.value_or(Bytes()) > limit) return Wrong("a target beyond the limit");
  }
  for (size_t i = 0; i < left.size(); ++i) {
    // The slot that crosses its share goes where something more urgent than a share lacks it.
    const Bytes entitled = std::min(plan.shares[i].entitled, outcome.held[i]);
    const bool without_last =
        urgent && left[i] >= std::min(entitled, outcome.assured[i]) && Plus(left[i], outcome.slot[i]) > entitled;
    if (left[i] < entitled && !without_last) {
      return Wrong("targets leave tenant ", snapshot.tenants[i].name, " ", ToString(left[i]), " of ",
                   ToString(entitled));
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> WhatIsWrong(const PolicySnapshot& snapshot, const PolicyPlan& plan) {
  if (plan.shares.size() != snapshot.tenants.size() || plan.targets.size() != snapshot.sessions.size() ||
      plan.verdicts.size() != snapshot.leases.size()) {
    return Wrong("a plan that is not whole");
  }
  for (size_t i = 0; i < plan.shares.size(); ++i) {
    if (plan.shares[i].entitled > plan.shares[i].wanted) return Wrong("entitled to more than is wanted");
    if (plan.shares[i].owed > plan.shares[i].entitled) return Wrong("owed more than the entitlement");
  }
  const Outcome outcome(snapshot, plan);
  Problem problem = CheckGrants(snapshot, plan, outcome);
  return problem.has_value() ? problem : CheckTargets(snapshot, plan, outcome);
}

std::optional<std::string> WhatIsUnfair(const PolicySnapshot& snapshot, const PolicyPlan& plan) {
  const Bytes quantum(std::max<uint64_t>(snapshot.capacity.in_bytes() / 256, 4096));
  // The oracle reckons with signed numbers.
  PolicySnapshot modest = snapshot;
  for (PolicySnapshot::Tenant& tenant : modest.tenants) {
    if (tenant.policy.limit.value_or(Bytes()) > GiB(1 << 20)) tenant.policy.limit.reset();
  }
  const std::vector<Bytes> oracle = EntitledByQuanta(modest, plan.turn, quantum);
  for (size_t i = 0; i < oracle.size(); ++i) {
    const Bytes entitled = plan.shares[i].entitled;
    const Bytes differ = std::max(oracle[i], entitled) - std::min(oracle[i], entitled);
    // Each of the others may have a quantum of this one's.
    if (differ > quantum * oracle.size()) {
      return Wrong("tenant ", snapshot.tenants[i].name, " is entitled to ", ToString(entitled), ", by the oracle to ",
                   ToString(oracle[i]), " to within ", ToString(quantum));
    }
  }
  return std::nullopt;
}

Bytes IdleReserves(const PolicySnapshot& snapshot) { return Outcome(snapshot, PolicyPlan()).IdleReserves(); }

std::map<size_t, std::string> WhoIsOwed(const PolicySnapshot& snapshot, const PolicyPlan& plan) {
  std::map<size_t, std::string> owed;
  const Outcome outcome(snapshot, plan);
  std::map<LeaseId, uint64_t> granted;
  for (const PolicyPlan::Grant& grant : plan.grants) granted[grant.lease] = grant.slots;
  for (const PolicySnapshot::Lease& lease : snapshot.leases) {
    const size_t own = lease.tenant;
    const PolicySnapshot::Tenant& tenant = snapshot.tenants[own];
    const uint64_t got = granted.count(lease.id) != 0 ? granted[lease.id] : 0;
    if (lease.wanted <= lease.held + got) continue;
    const Bytes least = lease.slot * (got > 0 ? 1 : lease.Least());
    const Bytes useful = Plus(Plus(outcome.held[own], outcome.got[own]), least);
    if (useful > plan.shares[own].entitled) continue;
    if (Plus(Plus(tenant.charged, outcome.got[own]), least) > tenant.MayHold().value_or(kMostBytes)) continue;
    Bytes others_reserves;
    Bytes others_guarantees;
    Bytes to_be_had;
    for (size_t i = 0; i < outcome.held.size(); ++i) {
      if (i == own) continue;
      others_reserves += outcome.IdleReserve(i);
      others_guarantees += outcome.IdleGuarantee(i);
      const Bytes excess = MinusOrZero(outcome.held[i], plan.shares[i].entitled);
      to_be_had += RoundedDown(excess, outcome.slot[i]);
    }
    // What may be lent of a guarantee is another matter.
    if (useful > outcome.assured[own] && !others_guarantees.IsZero()) continue;
    const Bytes free = MinusOrZero(snapshot.available - outcome.granted, others_reserves);
    const bool is_to_be_had = useful <= plan.shares[own].owed && to_be_had >= least;
    if (free < least && !is_to_be_had) continue;
    owed.emplace(own, absl::StrCat("tenant ", tenant.name, " waits with lease ", lease.id.value(), " for ",
                                   ToString(least), ", holds ", ToString(outcome.held[own]), " and is entitled to ",
                                   ToString(plan.shares[own].entitled), ": ", ToString(free), " are free, and ",
                                   ToString(to_be_had), " with others who are not entitled to it"));
  }
  return owed;
}

std::string Describe(const PolicySnapshot& snapshot, const PolicyPlan& plan) {
  std::string text = absl::StrCat("available ", ToString(snapshot.available), " of ", ToString(snapshot.capacity),
                                  ", room lacks ", ToString(snapshot.room_short), ", asked ", ToString(plan.asked));
  if (snapshot.turn.has_value()) {
    absl::StrAppend(&text, ", turn of ", snapshot.tenants[snapshot.turn->tenant].name, " for ",
                    absl::FormatDuration(snapshot.turn->age));
  }
  if (plan.turn.has_value()) absl::StrAppend(&text, ", from now on of ", snapshot.tenants[*plan.turn].name);
  for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
    const PolicySnapshot::Tenant& tenant = snapshot.tenants[i];
    absl::StrAppend(&text, "\n  tenant ", tenant.name, " ", ToString(tenant.policy.tenant_class),
                    " weight=", tenant.policy.weight, " reserved=", ToString(tenant.policy.reserved),
                    " guarantee=", ToString(tenant.policy.guarantee),
                    " limit=", tenant.policy.limit.has_value() ? ToString(*tenant.policy.limit) : "none",
                    " floor=", ToString(tenant.floor), " charged=", ToString(tenant.charged),
                    " returned=", ToString(tenant.returned), ": wants ", ToString(plan.shares[i].wanted),
                    ", entitled to ", ToString(plan.shares[i].entitled), ", owed ", ToString(plan.shares[i].owed));
  }
  for (size_t s = 0; s < snapshot.sessions.size(); ++s) {
    const PolicySnapshot::Session& session = snapshot.sessions[s];
    absl::StrAppend(&text, "\n  session ", session.id.value(), " of ", snapshot.tenants[session.tenant].name,
                    " holds=", ToString(session.Held()), " idle=", ToString(session.holding.Idle()),
                    " pinned=", ToString(session.holding.pinned), " protected=", ToString(session.protected_bytes),
                    session.missed_target ? " missed its target" : "", session.reported ? "" : " silent", ": target ",
                    session.target.has_value() ? ToString(*session.target) : "none", " -> ",
                    plan.targets[s].max.has_value() ? ToString(*plan.targets[s].max) : "none", " ",
                    plan.targets[s].reason);
  }
  for (size_t l = 0; l < snapshot.leases.size(); ++l) {
    const PolicySnapshot::Lease& lease = snapshot.leases[l];
    absl::StrAppend(&text, "\n  lease ", lease.id.value(), " of session ", snapshot.sessions[lease.session].id.value(),
                    ": ", lease.held, " of ", lease.wanted, " slots of ", ToString(lease.slot),
                    " min_useful=", lease.min_useful, " waiting=", absl::FormatDuration(lease.waiting),
                    " rule=", static_cast<int>(plan.verdicts[l].rule));
    for (const PolicyPlan::Grant& grant : plan.grants) {
      if (grant.lease == lease.id) absl::StrAppend(&text, " gets ", grant.slots);
    }
  }
  return text;
}

PolicyPlan WatchedPolicy::Plan(const PolicySnapshot& snapshot) const {
  PolicyPlan plan = policy_.Plan(snapshot);
  ++plans_;
  if (!wrong_.has_value()) wrong_ = WhatIsWrong(snapshot, plan);
  if (!wrong_.has_value() && oracle_) wrong_ = WhatIsUnfair(snapshot, plan);
  snapshot_ = snapshot;
  plan_ = plan;
  return plan;
}

}  // namespace kvbroker::sim
