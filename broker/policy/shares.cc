#include "broker/policy/shares.h"

#include <algorithm>

#include "broker/policy/fair_share.h"

namespace kvbroker {
namespace {

// Of a tenant's demand: its idle bytes, and as many of its wants, those that were met just now included.
Bytes IdleWithWants(const TenantState& tenant) {
  const Bytes wants = MinusOrZero(tenant.demand, MinusOrZero(tenant.held, tenant.just_granted));
  return std::min(tenant.idle + std::min(tenant.idle, wants), tenant.demand);
}

std::vector<Bytes> Entitle(const Situation& situation, std::optional<size_t> turn, Bytes (*idle)(const TenantState&)) {
  std::vector<Claim> claims;
  claims.reserve(situation.tenants.size());
  for (size_t i = 0; i < situation.tenants.size(); ++i) {
    const TenantState& tenant = situation.tenants[i];
    claims.push_back({.weight = situation.snapshot.tenants[i].policy.weight,
                      .tenant_class = tenant.tenant_class,
                      .reserved = tenant.reserved,
                      .assured = tenant.assured,
                      .pinned = tenant.pinned,
                      .need = turn == i ? tenant.need : Bytes(),
                      .raised = tenant.raised,
                      .active = tenant.demand - idle(tenant),
                      .idle = idle(tenant)});
  }
  return Entitle(situation.distributable, claims);
}

}  // namespace

Shares ShareOut(const Situation& situation, std::optional<size_t> turn) {
  Shares shares{.entitled = Entitle(situation, turn, [](const TenantState& tenant) { return tenant.idle; })};
  const bool same = std::none_of(situation.tenants.begin(), situation.tenants.end(),
                                 [](const TenantState& tenant) { return IdleWithWants(tenant) > tenant.idle; });
  shares.owed = same ? shares.entitled : Entitle(situation, turn, IdleWithWants);
  for (size_t i = 0; i < shares.owed.size(); ++i) {
    // What it needs to get on it gets, as far as that is its share.
    shares.owed[i] = std::min(std::max(shares.owed[i], situation.tenants[i].need), shares.entitled[i]);
  }
  return shares;
}

}  // namespace kvbroker
