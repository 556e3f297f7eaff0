#include "broker/policy/situation.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

// Out of `left`, which it lowers.
Bytes Take(Bytes claimed, Bytes& left) {
  const Bytes taken = std::min(claimed, left);
  left -= taken;
  return taken;
}

SessionState StateOf(const PolicySnapshot::Session& session) {
  SessionState state{.held = MinusOrZero(session.charged, session.returned)};
  const Holding& holding = session.holding;
  Bytes left = state.held;
  state.pinned = Take(holding.pinned, left);
  state.priced[kPreemptible] = Take(holding.preemptible, left);
  state.priced[kCompactable] = Take(holding.compactable, left);
  for (size_t age = 0; age < kAgeClasses; ++age) {
    state.priced[kYoungestCached - age] = Take(holding.cached_by_age[age], left);
  }
  state.priced[kFree] = Take(holding.free, left);
  state.priced[kSpare] = Take(holding.spare, left);
  state.unreported = left;
  state.priced[kPreemptible] += left;
  return state;
}

TenantState StateOf(const PolicySnapshot::Tenant& tenant, Bytes held) {
  TenantState state{.held = held, .tenant_class = tenant.policy.tenant_class};
  state.immovable = MinusOrZero(MinusOrZero(tenant.charged, tenant.returned), held);
  const std::optional<Bytes> may_hold = tenant.MayHold();
  state.limit = may_hold.has_value() ? MinusOrZero(*may_hold, state.immovable) : kMostBytes;
  state.reserved = std::min(MinusOrZero(tenant.policy.reserved, state.immovable), state.limit);
  state.assured = std::min(MinusOrZero(tenant.policy.assured(), state.immovable), state.limit);
  return state;
}

// The most that a lease of the tenant needs to get on is what the tenant needs; of equals the oldest.
void NoteLongRequest(const PolicySnapshot& snapshot, size_t l, Bytes least, Bytes& useful, TenantState& tenant) {
  const auto age = [&](size_t i) { return std::pair(snapshot.leases[i].waiting_since, snapshot.leases[i].id); };
  const bool is_first =
      !tenant.long_request.has_value() || least > useful || (least == useful && age(l) < age(*tenant.long_request));
  if (is_first) tenant.long_request = l;
  useful = std::max(useful, least);
}

// What its unmet wants say about a tenant.
void CountWants(Situation& situation, std::vector<Bytes>& useful) {
  const PolicySnapshot& snapshot = situation.snapshot;
  for (const PolicySnapshot::Session& session : snapshot.sessions) {
    Bytes& just_granted = situation.tenants[session.tenant].just_granted;
    just_granted = Plus(just_granted, session.protected_bytes);
  }
  for (size_t l = 0; l < snapshot.leases.size(); ++l) {
    const PolicySnapshot::Lease& lease = snapshot.leases[l];
    TenantState& tenant = situation.tenants[lease.tenant];
    tenant.demand = Plus(tenant.demand, Times(lease.slot, lease.wanted));
    if (lease.held > 0 && lease.session < situation.sessions.size()) {
      Bytes& slot = situation.sessions[lease.session].slot;
      slot = slot.IsZero() ? lease.slot : std::min(slot, lease.slot);
    }
    if (lease.wanted <= lease.held || lease.slot.IsZero()) continue;
    situation.waiting.push_back(l);
    if (IsImpossible(snapshot, lease)) continue;
    const bool long_enough = lease.waiting > kAgeingStep;
    tenant.waiting_since = std::min(tenant.waiting_since, lease.waiting_since);
    tenant.aged = tenant.aged || long_enough;
    const Bytes least = Times(lease.slot, lease.Least());
    if (tenant.just_granted < least && (lease.min_useful > 1 || tenant.held.IsZero())) {
      NoteLongRequest(snapshot, l, least, useful[lease.tenant], tenant);
      tenant.starving_for_use = tenant.starving_for_use || long_enough;
    }
  }
}

Bytes RaisedFor(const PolicySnapshot::Tenant& given, const TenantState& tenant) {
  if (tenant.tenant_class == TenantClass::kInteractive) return Bytes();
  if (given.raise.has_value()) {
    if (given.raise->age >= kLongestTurn) return Bytes();
    return given.floor.IsZero() ? std::min(tenant.demand, given.raise->need) : tenant.need;
  }
  return tenant.aged && tenant.held < tenant.need && !given.rests_from_raise ? tenant.need : Bytes();
}

void FinishTenant(const PolicySnapshot::Tenant& given, Bytes idle, Bytes useful, Bytes most_needed,
                  TenantState& tenant) {
  tenant.demand = std::min(tenant.demand, tenant.limit);
  tenant.idle = std::min(MinusOrZero(idle, MinusOrZero(tenant.held, tenant.demand)), tenant.demand);
  if (!given.floor.IsZero()) {
    tenant.need = std::min(tenant.demand, given.floor);
    tenant.long_request.reset();
    tenant.starving_for_use = tenant.aged;
  } else {
    tenant.need = std::min({tenant.demand, Plus(tenant.held, useful), most_needed});
  }
  tenant.raised = RaisedFor(given, tenant);
}

absl::Duration ResponseOf(const PolicySnapshot::Session& session) {
  const absl::Duration response = session.holding.response;
  return response > absl::ZeroDuration() ? response : kUsualResponse;
}

// How much a tenant can want at once while the slowest of those who may lend its guarantee answers.
Bytes Instant(const Situation& situation) {
  absl::Duration deadline = absl::InfiniteDuration();
  for (size_t i = 0; i < situation.tenants.size(); ++i) {
    if (situation.tenants[i].IdleGuarantee(situation.tenants[i].held).IsZero()) continue;
    deadline = std::min(deadline, situation.snapshot.tenants[i].policy.guarantee_deadline);
  }
  absl::Duration slowest = absl::ZeroDuration();
  for (const PolicySnapshot::Session& session : situation.snapshot.sessions) {
    const bool counts = situation.tenants[session.tenant].Borrows() && CanBeLentAgainst(session, deadline);
    if (counts) slowest = std::max(slowest, ResponseOf(session));
  }
  if (slowest == absl::ZeroDuration()) slowest = kUsualResponse;
  return Scaled(kGrowthPerSecond, static_cast<uint64_t>(absl::ToInt64Microseconds(slowest)), 1'000'000);
}

Bytes Distributable(const Situation& situation) {
  Bytes idle;
  Bytes rest = MinusOrZero(situation.snapshot.capacity, situation.snapshot.room_short);
  for (const TenantState& tenant : situation.tenants) {
    rest = MinusOrZero(rest, tenant.immovable);
    rest = MinusOrZero(rest, MinusOrZero(std::max(tenant.reserved, tenant.pinned), tenant.demand));
    idle = Plus(idle, tenant.IdleGuarantee(std::max(tenant.demand, tenant.pinned)));
  }
  return MinusOrZero(rest, std::min(idle, situation.instant));
}

}  // namespace

Bytes SessionState::Idle() const {
  Bytes sum;
  for (size_t price = kSpare; price <= kYoungestCached - 2; ++price) sum += priced[price];
  return sum;
}

Bytes SessionState::Revocable() const {
  Bytes sum;
  for (size_t price = kSpare; price <= kCompactable; ++price) sum += priced[price];
  return sum;
}

int TenantState::Rank() const {
  const int rank = static_cast<int>(tenant_class);
  return held < raised ? std::min(rank + 1, static_cast<int>(TenantClass::kInteractive)) : rank;
}

bool CanBeLentAgainst(const PolicySnapshot::Session& session, absl::Duration deadline) {
  return session.reported && !session.missed_target && ResponseOf(session) <= deadline;
}

bool IsImpossible(const PolicySnapshot& snapshot, const PolicySnapshot::Lease& lease) {
  const std::optional<Bytes>& limit = snapshot.tenants[lease.tenant].policy.limit;
  return Times(lease.slot, lease.Least()) > std::min(snapshot.capacity, limit.value_or(kMostBytes));
}

Situation SumUp(const PolicySnapshot& snapshot) {
  Situation situation{.snapshot = snapshot};
  situation.sessions.reserve(snapshot.sessions.size());
  std::vector<Bytes> held(snapshot.tenants.size());
  std::vector<Bytes> idle(snapshot.tenants.size());
  std::vector<Bytes> pinned(snapshot.tenants.size());
  for (const PolicySnapshot::Session& session : snapshot.sessions) {
    situation.sessions.push_back(StateOf(session));
    const SessionState& state = situation.sessions.back();
    held[session.tenant] = Plus(held[session.tenant], state.held);
    pinned[session.tenant] = Plus(pinned[session.tenant], state.pinned);
    // What it was just granted is spare because it had no time yet to use it, once it is reported.
    const Bytes just_granted = MinusOrZero(session.protected_bytes, state.unreported);
    const Bytes unused = MinusOrZero(state.Idle(), just_granted);
    idle[session.tenant] = Plus(idle[session.tenant], unused);
  }
  situation.tenants.reserve(snapshot.tenants.size());
  for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
    situation.tenants.push_back(StateOf(snapshot.tenants[i], held[i]));
    situation.tenants.back().pinned = pinned[i];
    situation.returned = Plus(situation.returned, snapshot.tenants[i].returned);
  }
  situation.returned = MinusOrZero(situation.returned, snapshot.stuck);
  std::vector<Bytes> useful(snapshot.tenants.size());
  CountWants(situation, useful);
  for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
    const bool has_turn = snapshot.turn.has_value() && snapshot.turn->tenant == i;
    FinishTenant(snapshot.tenants[i], idle[i], useful[i], has_turn ? snapshot.turn->need : kMostBytes,
                 situation.tenants[i]);
  }
  std::sort(situation.waiting.begin(), situation.waiting.end(), [&](size_t a, size_t b) {
    const PolicySnapshot::Lease& x = snapshot.leases[a];
    const PolicySnapshot::Lease& y = snapshot.leases[b];
    return x.waiting_since != y.waiting_since ? x.waiting_since < y.waiting_since : x.id < y.id;
  });
  situation.by_id.resize(snapshot.sessions.size());
  std::iota(situation.by_id.begin(), situation.by_id.end(), size_t{0});
  std::sort(situation.by_id.begin(), situation.by_id.end(),
            [&](size_t a, size_t b) { return snapshot.sessions[a].id < snapshot.sessions[b].id; });
  situation.instant = Instant(situation);
  situation.distributable = Distributable(situation);
  return situation;
}

}  // namespace kvbroker
