#include "broker/policy/fair_policy.h"

#include <utility>

#include "broker/policy/eviction.h"
#include "broker/policy/fair_share.h"
#include "broker/policy/grants.h"
#include "broker/policy/reclaim.h"
#include "broker/policy/saturating.h"
#include "broker/policy/shortage.h"
#include "broker/policy/situation.h"
#include "broker/policy/targets.h"
#include "broker/policy/trims.h"
#include "broker/policy/turn.h"
#include "broker/policy/verdicts.h"

namespace kvbroker {
namespace {

std::vector<Claim> ClaimsOf(const Situation& situation) {
  std::vector<Claim> claims;
  claims.reserve(situation.tenants.size());
  for (size_t i = 0; i < situation.tenants.size(); ++i) {
    const TenantState& tenant = situation.tenants[i];
    claims.push_back({.weight = situation.snapshot.tenants[i].policy.weight,
                      .tenant_class = tenant.tenant_class,
                      .reserved = tenant.reserved,
                      .assured = tenant.assured,
                      .pinned = tenant.pinned,
                      .raised = tenant.raised,
                      .active = tenant.demand - tenant.idle,
                      .idle = tenant.idle});
  }
  return claims;
}

}  // namespace

PolicyPlan FairPolicy::Plan(const PolicySnapshot& snapshot) const {
  const Situation situation = SumUp(snapshot);
  std::vector<Claim> claims = ClaimsOf(situation);
  const std::vector<Bytes> fair = Entitle(situation.distributable, claims);

  PolicyPlan plan;
  plan.turn = ChooseTurn(situation, fair);
  std::vector<Bytes> with_turn;
  if (plan.turn.has_value()) {
    plan.turn_need = situation.tenants[*plan.turn].need;
    claims[*plan.turn].need = plan.turn_need;
    with_turn = Entitle(situation.distributable, claims);
  }
  const std::vector<Bytes>& entitled = plan.turn.has_value() ? with_turn : fair;

  Shortage shortage = FindShortage(situation, entitled, plan.turn);
  const Bytes missing = shortage.Missing();
  Trims trims = PlanTrims(situation, entitled, plan.turn, shortage);
  shortage.trims = trims.coming;
  Reclaim reclaim = PlanReclaim(situation, entitled, shortage);
  reclaim.coming = Plus(reclaim.coming, trims.coming);
  const Grants grants = PlanGrants(situation, entitled, plan.turn, reclaim, !missing.IsZero());

  plan.trims = std::move(trims.ask);
  plan.awaits_trims = !missing.IsZero() && (snapshot.trims_awaited.has_value() || shortage.Missing() < missing);
  plan.asked = reclaim.asked;
  plan.targets = MakeTargets(situation, entitled, shortage, reclaim);
  for (size_t l = 0; l < snapshot.leases.size(); ++l) {
    if (grants.slots[l] > 0) plan.grants.push_back({.lease = snapshot.leases[l].id, .slots = grants.slots[l]});
  }
  plan.shares.reserve(entitled.size());
  for (size_t i = 0; i < entitled.size(); ++i) {
    plan.shares.push_back(
        {.wanted = situation.tenants[i].demand, .entitled = entitled[i], .raised = situation.tenants[i].raised});
  }
  plan.verdicts = MakeVerdicts(situation, {fair, entitled, plan.turn, reclaim, grants});
  plan.guarantee_at_risk = grants.guarantee_at_risk;
  plan.eviction_age = EvictionAge(situation, MinusOrZero(snapshot.available, grants.granted), shortage.Missing());
  return plan;
}

}  // namespace kvbroker
