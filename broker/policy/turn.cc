#include "broker/policy/turn.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "absl/strings/string_view.h"
#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

// What nobody else can have, whoever has the turn.
Bytes Own(const TenantState& tenant) { return std::min(tenant.demand, std::max(tenant.assured, tenant.pinned)); }

}  // namespace

std::optional<size_t> ChooseTurn(const Situation& situation, const std::vector<Bytes>& fair) {
  const std::optional<PolicySnapshot::Turn>& now = situation.snapshot.turn;
  Bytes owned;
  for (const TenantState& tenant : situation.tenants) owned = Plus(owned, Own(tenant));
  const auto helps = [&](size_t i) {
    const TenantState& tenant = situation.tenants[i];
    return tenant.need > fair[i] &&
           tenant.need <= MinusOrZero(situation.distributable, MinusOrZero(owned, Own(tenant)));
  };
  const bool has_one = now.has_value() && now->tenant < fair.size();
  if (has_one && now->age < kLongestTurn && helps(now->tenant)) return now->tenant;

  const auto order = [&](size_t i) {
    const PolicySnapshot::Tenant& tenant = situation.snapshot.tenants[i];
    return std::tuple(has_one && i == now->tenant, tenant.last_turn, situation.tenants[i].waiting_since,
                      absl::string_view(tenant.name));
  };
  std::optional<size_t> next;
  for (size_t i = 0; i < fair.size(); ++i) {
    if (!situation.tenants[i].starving_for_use || !helps(i)) continue;
    if (!next.has_value() || order(i) < order(*next)) next = i;
  }
  return next;
}

}  // namespace kvbroker
