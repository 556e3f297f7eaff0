#include "broker/server/explain_session.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "broker/policy/explain.h"

namespace kvbroker {
namespace {

// The session's lease that waits for most; any where none waits.
std::optional<size_t> HungriestLease(const PolicySnapshot& snapshot, SessionId session) {
  std::optional<size_t> found;
  uint64_t most = 0;
  for (size_t i = 0; i < snapshot.leases.size(); ++i) {
    const PolicySnapshot::Lease& lease = snapshot.leases[i];
    if (snapshot.sessions[lease.session].id != session) continue;
    const uint64_t missing = lease.wanted > lease.held ? lease.wanted - lease.held : 0;
    if (!found.has_value() || missing > most) found = i;
    most = std::max(most, missing);
  }
  return found;
}

std::string Since(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
}

}  // namespace

void ExplainSession(const BrokerReport& report, const BrokerReport::Session& session, const Arbiter::Simulation& now,
                    admin::v1::WhyResponse& response) {
  const auto fact = [&](auto... parts) { response.add_facts(absl::StrCat(parts...)); };
  const std::optional<size_t> lease = HungriestLease(now.snapshot, session.id);
  if (session.state != SessionState::kActive) {
    response.set_rule(std::string(ToString(session.state)));
    response.set_because(absl::StrCat("the session is ", ToString(session.state), ": it is granted nothing"));
  } else if (!lease.has_value()) {
    response.set_rule(RuleName(Rule::kMet));
    response.set_because("the session has no arena and wants nothing");
  } else {
    response.set_rule(RuleName(now.plan.verdicts[*lease].rule));
    response.set_because(Explain(now.snapshot, now.plan, *lease));
  }
  fact("holds ", ToString(session.charged - session.returned), ", wants ", ToString(session.wanted));
  if (lease.has_value()) {
    const size_t index = now.snapshot.leases[*lease].tenant;
    const PolicySnapshot::Tenant& tenant = now.snapshot.tenants[index];
    fact("tenant ", tenant.name, " holds ", ToString(tenant.Held()), ", its share now is ",
         ToString(now.plan.shares[index].entitled), " of the ", ToString(now.plan.shares[index].wanted), " it wants");
    fact("class ", ToString(tenant.policy.tenant_class), ", weight ", tenant.policy.weight, ", limit ",
         tenant.policy.limit.has_value() ? ToString(*tenant.policy.limit) : "none", ", reserved ",
         ToString(tenant.policy.reserved), ", guarantee ", ToString(tenant.policy.guarantee), " within ",
         absl::FormatDuration(tenant.policy.guarantee_deadline));
    if (now.snapshot.leases[*lease].waiting_since != 0) {
      fact("it has waited ", Since(now.snapshot.leases[*lease].waiting));
    }
  }
  if (session.target.has_value()) {
    fact("it may hold ", ToString(*session.target), " at the most",
         session.over_target ? ", holds more, and has missed the deadline" : "");
  }
  if (!report.asked_back.IsZero()) fact(ToString(report.asked_back), " are asked back from others");
  if (!report.returned.IsZero()) fact(ToString(report.returned), " are on their way back");
  if (!report.room.IsZero()) fact(ToString(report.room), " are held back as room for memory outside the broker");
  fact(ToString(now.snapshot.available), " may be granted now, of ", ToString(report.capacity));
}

void FillSimulation(const Arbiter::Simulation& before, const Arbiter::Simulation& after,
                    admin::v1::SimulateResponse& response) {
  const PolicySnapshot& snapshot = after.snapshot;
  for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
    admin::v1::SimulateResponse::Row& row = *response.add_rows();
    row.set_tenant(snapshot.tenants[i].name);
    row.set_held(snapshot.tenants[i].Held().in_bytes());
    row.set_wanted(after.plan.shares[i].wanted.in_bytes());
    row.set_entitled_before(before.plan.shares[i].entitled.in_bytes());
    row.set_entitled_after(after.plan.shares[i].entitled.in_bytes());
    for (const PolicySnapshot::Lease& lease : snapshot.leases) {
      for (const PolicyPlan::Grant& grant : after.plan.grants) {
        if (lease.tenant == i && grant.lease == lease.id)
          row.set_granted(row.granted() + (lease.slot * grant.slots).in_bytes());
      }
    }
    for (const PolicySnapshot::Session& session : snapshot.sessions) {
      for (const PolicyPlan::Target& target : after.plan.targets) {
        if (session.tenant != i || target.session != session.id || !target.max.has_value()) continue;
        row.set_asked_back(row.asked_back() + MinusOrZero(session.Held(), *target.max).in_bytes());
      }
    }
    for (size_t lease = 0; lease < snapshot.leases.size(); ++lease) {
      if (snapshot.leases[lease].tenant != i) continue;
      row.set_because(Explain(snapshot, after.plan, lease));
      if (after.plan.verdicts[lease].rule != Rule::kMet) break;
    }
  }
  response.set_guarantee_at_risk(after.plan.guarantee_at_risk.in_bytes());
}

}  // namespace kvbroker
