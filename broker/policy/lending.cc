#include "broker/policy/lending.h"

#include <algorithm>

#include "broker/policy/saturating.h"

namespace kvbroker {

LendingBook::LendingBook(const Situation& situation, const std::vector<Bytes>& granted, Bytes available)
    : unlent_(available), pledged_(granted.size()), instant_(situation.instant) {
  Terms terms;
  for (size_t i = 0; i < situation.tenants.size(); ++i) {
    const TenantState& tenant = situation.tenants[i];
    const Bytes held = Plus(tenant.held, granted[i]);
    unlent_ = MinusOrZero(unlent_, tenant.IdleReserve(held));
    const Bytes idle = tenant.IdleGuarantee(held);
    if (idle.IsZero()) continue;
    idle_ = Plus(idle_, idle);
    terms.deadline = std::min(terms.deadline, situation.snapshot.tenants[i].policy.guarantee_deadline);
    terms.lowest_class = std::min(terms.lowest_class, tenant.tenant_class);
  }
  if (!idle_.IsZero()) CountRevocable(situation, granted, terms);
}

void LendingBook::CountRevocable(const Situation& situation, const std::vector<Bytes>& granted, const Terms& terms) {
  for (size_t s = 0; s < situation.sessions.size(); ++s) {
    const PolicySnapshot::Session& session = situation.snapshot.sessions[s];
    const TenantState& tenant = situation.tenants[session.tenant];
    if (!tenant.Borrows() || !CanBeLentAgainst(session, terms.deadline)) continue;
    const SessionState& state = situation.sessions[s];
    Bytes bytes = state.Revocable();
    if (tenant.tenant_class < terms.lowest_class) bytes += state.priced[kPreemptible] - state.unreported;
    pledged_[session.tenant] = Plus(pledged_[session.tenant], bytes);
  }
  revocable_ = situation.returned;
  for (size_t i = 0; i < pledged_.size(); ++i) {
    const TenantState& tenant = situation.tenants[i];
    const Bytes borrowed = std::min(pledged_[i], MinusOrZero(Plus(tenant.held, granted[i]), tenant.assured));
    revocable_ = Plus(revocable_, borrowed);
    pledged_[i] -= borrowed;
  }
}

Bytes LendingBook::Lendable(size_t tenant) const {
  if (idle_.IsZero()) return kMostBytes;
  const Bytes covered = Plus(unlent_, revocable_);
  if (covered < idle_) return Bytes();
  return std::min(Plus(covered - idle_, pledged_[tenant]), MinusOrZero(unlent_, std::min(idle_, instant_)));
}

void LendingBook::Grant(size_t tenant, Bytes of_guarantee, Bytes beyond) {
  const Bytes pledged = std::min(beyond, pledged_[tenant]);
  pledged_[tenant] -= pledged;
  revocable_ = Plus(revocable_, pledged);
  unlent_ = MinusOrZero(unlent_, Plus(of_guarantee, beyond));
  idle_ = MinusOrZero(idle_, of_guarantee);
}

Bytes LendingBook::AtRisk() const { return MinusOrZero(idle_, Plus(unlent_, revocable_)); }

}  // namespace kvbroker
