#include "broker/policy/fair_policy.h"

#include <utility>

#include "broker/policy/eviction.h"
#include "broker/policy/grants.h"
#include "broker/policy/reclaim.h"
#include "broker/policy/saturating.h"
#include "broker/policy/shares.h"
#include "broker/policy/shortage.h"
#include "broker/policy/situation.h"
#include "broker/policy/targets.h"
#include "broker/policy/trims.h"
#include "broker/policy/turn.h"
#include "broker/policy/verdicts.h"

namespace kvbroker {

PolicyPlan FairPolicy::Plan(const PolicySnapshot& snapshot) const {
  const Situation situation = SumUp(snapshot);
  const Shares fair = ShareOut(situation, std::nullopt);

  PolicyPlan plan;
  plan.turn = ChooseTurn(situation, fair.entitled);
  Shares with_turn;
  if (plan.turn.has_value()) {
    plan.turn_need = situation.tenants[*plan.turn].need;
    with_turn = ShareOut(situation, plan.turn);
  }
  const Shares& shares = plan.turn.has_value() ? with_turn : fair;
  const std::vector<Bytes>& entitled = shares.entitled;

  Shortage shortage = FindShortage(situation, shares.owed, plan.turn);
  const Bytes missing = shortage.Missing();
  Trims trims = PlanTrims(situation, entitled, plan.turn, shortage);
  shortage.trims = trims.coming;
  Reclaim reclaim = PlanReclaim(situation, entitled, shortage);
  reclaim.coming = Plus(reclaim.coming, trims.coming);
  const Grants grants = PlanGrants(situation, shares, plan.turn, reclaim, !missing.IsZero());

  plan.trims = std::move(trims.ask);
  plan.awaits_trims = !missing.IsZero() && (snapshot.trims_awaited.has_value() || shortage.Missing() < missing);
  plan.asked = reclaim.asked;
  plan.targets = MakeTargets(situation, entitled, shortage, reclaim);
  for (size_t l = 0; l < snapshot.leases.size(); ++l) {
    if (grants.slots[l] > 0) plan.grants.push_back({.lease = snapshot.leases[l].id, .slots = grants.slots[l]});
  }
  plan.shares.reserve(entitled.size());
  for (size_t i = 0; i < entitled.size(); ++i) {
    plan.shares.push_back({.wanted = situation.tenants[i].demand,
                           .entitled = entitled[i],
                           .owed = shares.owed[i],
                           .raised = situation.tenants[i].raised});
  }
  plan.verdicts = MakeVerdicts(situation, {fair.entitled, entitled, plan.turn, reclaim, grants});
  plan.guarantee_at_risk = grants.guarantee_at_risk;
  plan.eviction_age = EvictionAge(situation, MinusOrZero(snapshot.available, grants.granted), shortage.Missing());
  return plan;
}

}  // namespace kvbroker
