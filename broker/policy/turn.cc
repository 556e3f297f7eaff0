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

// Whether somebody else has waited for what is its share.
bool OthersLackTheirShare(const Situation& situation, const std::vector<Bytes>& fair, size_t holder) {
  for (size_t i = 0; i < fair.size(); ++i) {
    const TenantState& tenant = situation.tenants[i];
    if (i != holder && tenant.aged && tenant.held < fair[i]) return true;
  }
  return false;
}

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
  const bool keeps = has_one && helps(now->tenant);
  if (keeps && now->age < kLongestTurn) return now->tenant;

  const auto order = [&](size_t i) {
    const PolicySnapshot::Tenant& tenant = situation.snapshot.tenants[i];
    return std::tuple(tenant.last_turn, situation.tenants[i].waiting_since, absl::string_view(tenant.name));
  };
  std::optional<size_t> next;
  for (size_t i = 0; i < fair.size(); ++i) {
    const bool had_its_turn = situation.snapshot.tenants[i].rests || (has_one && i == now->tenant);
    if (had_its_turn || !situation.tenants[i].starving_for_use || !helps(i)) continue;
    if (!next.has_value() || order(i) < order(*next)) next = i;
  }
  const bool nobody_waits = !next.has_value() && keeps && !OthersLackTheirShare(situation, fair, now->tenant);
  return nobody_waits ? now->tenant : next;
}

}  // namespace kvbroker
