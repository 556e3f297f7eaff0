#include "broker/policy/testing/snapshot_builder.h"

#include <algorithm>
#include <utility>

namespace kvbroker {

size_t SnapshotBuilder::Find(const std::string& tenant) {
  for (size_t i = 0; i < snapshot_.tenants.size(); ++i) {
    if (snapshot_.tenants[i].name == tenant) return i;
  }
  snapshot_.tenants.push_back({.name = tenant});
  return snapshot_.tenants.size() - 1;
}

SnapshotBuilder& SnapshotBuilder::Add(const SessionSpec& spec) {
  const size_t known = snapshot_.tenants.size();
  const size_t tenant = Find(spec.tenant);
  if (snapshot_.tenants.size() > known) {
    snapshot_.tenants[tenant].policy = spec.policy;
    snapshot_.tenants[tenant].floor = spec.floor;
  }
  const Bytes charged = spec.held + spec.returned;
  snapshot_.tenants[tenant].charged += charged;
  snapshot_.tenants[tenant].returned += spec.returned;
  const uint64_t number = snapshot_.sessions.size() + 1;
  PolicySnapshot::Session session = {.id = SessionId(number), .tenant = tenant, .charged = charged};
  session.returned = spec.returned;
  session.holding = spec.holding;
  session.holding.response = spec.response;
  session.reported = spec.reported;
  session.protected_bytes = spec.protected_bytes;
  session.target = spec.target;
  session.missed_target = spec.missed_target;
  session.trimmable = spec.trimmable;
  session.trim_asked = spec.trim_asked;
  session.trim_asked_for = spec.trim_asked_for;
  snapshot_.sessions.push_back(session);
  const bool waits = spec.wanted > spec.held;
  snapshot_.leases.push_back({.id = LeaseId(number),
                              .session = number - 1,
                              .tenant = tenant,
                              .slot = spec.slot,
                              .held = spec.held / spec.slot,
                              .wanted = spec.wanted / spec.slot,
                              .min_useful = spec.min_useful,
                              .waiting_since = waits ? number : 0,
                              .waiting = waits ? spec.waiting : absl::ZeroDuration()});
  return *this;
}

SnapshotBuilder& SnapshotBuilder::AddImmovable(const std::string& tenant, Bytes bytes) {
  snapshot_.tenants[Find(tenant)].charged += bytes;
  return *this;
}

SnapshotBuilder& SnapshotBuilder::RoomShort(Bytes bytes) {
  snapshot_.room_short = bytes;
  return *this;
}

SnapshotBuilder& SnapshotBuilder::Growable(Bytes bytes) {
  snapshot_.growable = bytes;
  return *this;
}

SnapshotBuilder& SnapshotBuilder::Turn(const std::string& tenant, absl::Duration age) {
  snapshot_.turn = PolicySnapshot::Turn{.tenant = Find(tenant), .age = age};
  return *this;
}

SnapshotBuilder& SnapshotBuilder::TrimsAwaited(absl::Duration age) {
  snapshot_.trims_awaited = age;
  return *this;
}

PolicySnapshot SnapshotBuilder::Build() const {
  PolicySnapshot snapshot = snapshot_;
  Bytes charged;
  for (const PolicySnapshot::Tenant& tenant : snapshot.tenants) charged += tenant.charged;
  snapshot.available = MinusOrZero(snapshot.capacity, charged);
  return snapshot;
}

size_t TenantIndex(const PolicySnapshot& snapshot, const std::string& name) {
  size_t i = 0;
  while (i < snapshot.tenants.size() && snapshot.tenants[i].name != name) ++i;
  return i;
}

Bytes GrantedTo(const PolicySnapshot& snapshot, const PolicyPlan& plan, const std::string& tenant) {
  Bytes sum;
  for (const PolicyPlan::Grant& grant : plan.grants) {
    for (const PolicySnapshot::Lease& lease : snapshot.leases) {
      if (lease.id == grant.lease && snapshot.tenants[lease.tenant].name == tenant) sum += lease.slot * grant.slots;
    }
  }
  return sum;
}

PolicySnapshot CarriedOut(const PolicySnapshot& snapshot, const PolicyPlan& plan) {
  PolicySnapshot next = snapshot;
  for (const PolicyPlan::Grant& grant : plan.grants) {
    for (PolicySnapshot::Lease& lease : next.leases) {
      if (lease.id != grant.lease) continue;
      const Bytes bytes = lease.slot * grant.slots;
      lease.held += grant.slots;
      if (lease.held >= lease.wanted) lease.waiting_since = 0;
      next.tenants[lease.tenant].charged += bytes;
      next.sessions[lease.session].charged += bytes;
      next.sessions[lease.session].protected_bytes += bytes;
      next.available -= bytes;
    }
  }
  for (const PolicyPlan::Target& target : plan.targets) {
    for (PolicySnapshot::Session& session : next.sessions) {
      if (session.id == target.session) session.target = target.max;
    }
  }
  for (const PolicyPlan::Trim& trim : plan.trims) {
    for (PolicySnapshot::Session& session : next.sessions) {
      if (session.id != trim.session) continue;
      session.trim_asked = trim.bytes;
      session.trim_asked_for = absl::ZeroDuration();
    }
  }
  if (!plan.awaits_trims) next.trims_awaited.reset();
  if (plan.awaits_trims && !next.trims_awaited.has_value()) next.trims_awaited = absl::ZeroDuration();
  for (size_t i = 0; i < plan.shares.size(); ++i) {
    std::optional<PolicySnapshot::Raise>& raise = next.tenants[i].raise;
    if (plan.shares[i].raised.IsZero()) {
      next.tenants[i].rests_from_raise |= raise.has_value() && raise->age >= kLongestTurn;
      raise.reset();
    } else if (!raise.has_value()) {
      raise = {.need = plan.shares[i].raised};
    }
  }
  if (plan.turn.has_value() && (!next.turn.has_value() || next.turn->tenant != *plan.turn)) {
    next.turn = PolicySnapshot::Turn{.tenant = *plan.turn, .need = plan.turn_need};
  } else if (!plan.turn.has_value()) {
    next.turn.reset();
  }
  return next;
}

PolicySnapshot Obeyed(PolicySnapshot snapshot) {
  for (size_t i = 0; i < snapshot.sessions.size(); ++i) {
    PolicySnapshot::Session& session = snapshot.sessions[i];
    for (PolicySnapshot::Lease& lease : snapshot.leases) {
      if (lease.session != i || !session.target.has_value()) continue;
      while (lease.held > 0 && session.Held() > *session.target) {
        --lease.held;
        session.charged -= lease.slot;
        snapshot.tenants[session.tenant].charged -= lease.slot;
        snapshot.available += lease.slot;
      }
      if (lease.held < lease.wanted && lease.waiting_since == 0) lease.waiting_since = 1000 + lease.id.value();
    }
    const Bytes let_go = std::min(std::exchange(session.trim_asked, Bytes()), session.trimmable);
    session.trimmable -= let_go;
    session.trim_asked_for = absl::InfiniteDuration();
    snapshot.available += let_go;
    snapshot.capacity += let_go;
    session.protected_bytes = Bytes();
    session.holding = {.cached_by_age = {session.Held()}};
    session.reported = true;
  }
  return snapshot;
}

}  // namespace kvbroker
