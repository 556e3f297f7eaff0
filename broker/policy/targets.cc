#include "broker/policy/targets.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

std::string ReasonOf(const PolicySnapshot& snapshot, const Shortage& shortage) {
  const std::optional<Purpose> purpose = shortage.First();
  if (!purpose.has_value()) return "";
  if (*purpose == Purpose::kRoom) return absl::StrCat("for room of ", ToString(snapshot.room_short));
  const std::string& name = snapshot.tenants[*shortage.tenant[static_cast<size_t>(*purpose)]].name;
  switch (*purpose) {
    case Purpose::kGuarantee:
      return absl::StrCat("for tenant ", name, "'s guarantee");
    case Purpose::kReserve:
      return absl::StrCat("for tenant ", name, "'s reserve");
    case Purpose::kTurn:
      return absl::StrCat("the turn of tenant ", name);
    default:
      return absl::StrCat("tenant ", name, "'s share");
  }
}

std::string LimitReason(const PolicySnapshot::Tenant& tenant) {
  if (tenant.MayHold() != tenant.policy.limit) {
    return absl::StrCat("an operator trims tenant ", tenant.name, " to ", ToString(*tenant.squeezed_to));
  }
  return absl::StrCat("limit of tenant ", tenant.name, ", ", ToString(*tenant.policy.limit));
}

}  // namespace

std::vector<PolicyPlan::Target> MakeTargets(const Situation& situation, const std::vector<Bytes>& entitled,
                                            const Shortage& shortage, const Reclaim& reclaim) {
  const PolicySnapshot& snapshot = situation.snapshot;
  const std::string reason = ReasonOf(snapshot, shortage);
  const std::optional<Purpose> first = shortage.First();
  std::vector<PolicyPlan::Target> targets;
  targets.reserve(snapshot.sessions.size());
  for (size_t s = 0; s < snapshot.sessions.size(); ++s) {
    const PolicySnapshot::Session& session = snapshot.sessions[s];
    const PolicySnapshot::Tenant& tenant = snapshot.tenants[session.tenant];
    const TenantState& state = situation.tenants[session.tenant];
    const bool over_limit = state.held > state.limit;
    const std::optional<Bytes> may_hold = tenant.MayHold();
    PolicyPlan::Target target = {.session = session.id, .max = may_hold};
    if (target.max.has_value()) target.reason = LimitReason(tenant);
    if (!reclaim.ask[s].IsZero()) {
      target.max = std::min(situation.sessions[s].held - reclaim.ask[s], may_hold.value_or(kMostBytes));
      target.within = shortage.Within();
      target.urgent = first.has_value() && !IsShare(*first);
      if (!over_limit) target.reason = reason;
    } else if (first.has_value() && session.target.has_value() && state.held >= entitled[session.tenant] &&
               *session.target >= situation.sessions[s].held && *session.target < may_hold.value_or(kMostBytes)) {
      target.max = session.target;
      target.reason = reason;
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

}  // namespace kvbroker
