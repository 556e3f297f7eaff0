#include "broker/policy/lending.h"

#include <algorithm>

#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

absl::Duration ResponseOf(const PolicySnapshot::Session& session) {
  const absl::Duration response = session.holding.response;
  return response > absl::ZeroDuration() ? response : kUsualResponse;
}

bool Counts(const PolicySnapshot::Session& session, absl::Duration deadline) {
  return session.reported && !session.missed_target && ResponseOf(session) <= deadline;
}

}  // namespace

LendingBook::LendingBook(const Situation& situation, const std::vector<Bytes>& granted, Bytes available)
    : unlent_(available), pledged_(granted.size()) {
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
  absl::Duration slowest = absl::ZeroDuration();
  for (size_t s = 0; s < situation.sessions.size(); ++s) {
    const PolicySnapshot::Session& session = situation.snapshot.sessions[s];
    const TenantState& tenant = situation.tenants[session.tenant];
    const bool borrows = std::max(tenant.held, tenant.demand) > tenant.assured;
    if (!borrows || !Counts(session, terms.deadline)) continue;
    const SessionState& state = situation.sessions[s];
    Bytes bytes = state.Revocable();
    if (tenant.tenant_class < terms.lowest_class) bytes += state.priced[kPreemptible] - state.unreported;
    pledged_[session.tenant] = Plus(pledged_[session.tenant], bytes);
    slowest = std::max(slowest, ResponseOf(session));
  }
  revocable_ = situation.returned;
  for (size_t i = 0; i < pledged_.size(); ++i) {
    const TenantState& tenant = situation.tenants[i];
    const Bytes borrowed = std::min(pledged_[i], MinusOrZero(Plus(tenant.held, granted[i]), tenant.assured));
    revocable_ = Plus(revocable_, borrowed);
    pledged_[i] -= borrowed;
  }
  if (slowest == absl::ZeroDuration()) slowest = kUsualResponse;
  instant_ = Scaled(kGrowthPerSecond, static_cast<uint64_t>(absl::ToInt64Microseconds(slowest)), 1'000'000);
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
