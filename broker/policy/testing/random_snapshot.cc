#include "broker/policy/testing/random_snapshot.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace kvbroker {
namespace {

class Maker {
 public:
  Maker(uint64_t seed, Numbers numbers) : random_(seed), hostile_(numbers == Numbers::kHostile) {}

  PolicySnapshot Make() {
    snapshot_.capacity = Size(GiB(4 + Below(76)));
    free_ = snapshot_.capacity;
    const uint64_t tenants = 1 + Below(8);
    for (uint64_t i = 0; i < tenants; ++i) AddTenant(i);
    snapshot_.available = free_;
    if (Chance(15)) {
      snapshot_.room_short = Size(GiB(1 + Below(8)));
      if (Chance(70)) snapshot_.available = Bytes();
    }
    if (Chance(30)) {
      snapshot_.turn =
          PolicySnapshot::Turn{.tenant = Below(tenants), .age = absl::Seconds(static_cast<int64_t>(Below(40)))};
      if (Chance(50)) snapshot_.turn->need = Size(MiB(64) * Below(512));
    }
    return std::move(snapshot_);
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }
  // A size of the usual order, or in hostile snapshots anything.
  Bytes Size(Bytes usual) {
    if (!hostile_ || Chance(50)) return usual;
    return Bytes((random_() >> 1) >> Below(63));
  }
  absl::Duration UpTo(absl::Duration most) { return most * static_cast<double>(Below(1000)) / 1000; }

  void AddTenant(uint64_t i) {
    PolicySnapshot::Tenant tenant = {.name = absl::StrCat("t", i)};
    TenantPolicy& policy = tenant.policy;
    if (Chance(20)) policy.reserved = Size(MiB(64) * Below(64));
    if (Chance(35)) policy.guarantee = Size(MiB(64) * Below(256));
    if (Chance(35)) policy.limit = std::max(policy.assured(), Size(MiB(64) * Below(512)));
    if (Chance(30)) policy.weight = static_cast<uint32_t>(1 + Below(10'000));
    policy.tenant_class = static_cast<TenantClass>(Chance(50) ? 2 : Below(3));
    policy.guarantee_deadline = absl::Milliseconds(static_cast<int64_t>(10 + Below(2'000)));
    if (Chance(40)) tenant.floor = Size(MiB(64) * Below(256));
    if (Chance(10)) tenant.squeezed_to = std::max(policy.reserved, Size(MiB(64) * Below(128)));
    tenant.last_turn = Below(4);
    tenant.rests = Chance(10);
    if (Chance(20)) tenant.raise = {.age = UpTo(absl::Seconds(40)), .need = Size(MiB(64) * Below(256))};
    tenant.rests_from_raise = Chance(10);
    snapshot_.tenants.push_back(tenant);
    const uint64_t sessions = Below(4);
    for (uint64_t s = 0; s < sessions; ++s) AddSession(i);
    if (Chance(15)) Charge(i, GiB(Below(3)));
  }

  // Out of what is free; hostile: or not.
  Bytes Charge(uint64_t tenant, Bytes wish) {
    const Bytes bytes = std::min(wish, free_);
    free_ -= bytes;
    snapshot_.tenants[tenant].charged += bytes;
    return bytes;
  }

  void AddSession(uint64_t tenant) {
    PolicySnapshot::Session session = {.id = SessionId(snapshot_.sessions.size() + 1), .tenant = tenant};
    const size_t index = snapshot_.sessions.size();
    snapshot_.sessions.push_back(session);
    const uint64_t leases = Below(3);
    for (uint64_t l = 0; l < leases; ++l) AddLease(tenant, index);
    PolicySnapshot::Session& s = snapshot_.sessions[index];
    const Bytes held = s.charged;
    if (Chance(20)) {
      s.returned = Charge(tenant, MiB(64) * Below(32));
      s.charged += s.returned;
      snapshot_.tenants[tenant].returned += s.returned;
    }
    s.holding = MakeHolding(held);
    s.reported = Chance(80);
    if (Chance(30)) s.protected_bytes = Size(MiB(64) * Below(32));
    if (Chance(30)) s.target = Size(MiB(64) * Below(held / MiB(64) + 2));
    s.missed_target = s.target.has_value() && *s.target < held && Chance(30);
  }

  void AddLease(uint64_t tenant, size_t session) {
    Bytes slot = std::vector{MiB(2), MiB(8), MiB(32), MiB(64), GiB(1)}[Below(5)];
    if (hostile_ && Chance(20)) slot = Bytes((random_() >> 1) >> Below(40));
    const Bytes wish = Chance(20) ? Bytes() : MiB(64) * Below(200);
    const uint64_t held = slot.IsZero() ? 0 : std::min(wish, free_) / slot;
    if (!slot.IsZero()) snapshot_.sessions[session].charged += Charge(tenant, slot * held);
    PolicySnapshot::Lease lease = {.id = LeaseId(snapshot_.leases.size() + 1), .session = session, .tenant = tenant};
    lease.slot = slot;
    lease.held = held;
    const uint64_t most = hostile_ ? 1'000'000 : GiB(20) / slot + 1;
    lease.wanted = Chance(30) ? Below(held + 1) : held + Below(most);
    if (Chance(30)) lease.min_useful = Below(hostile_ ? 1'000'000 : 40);
    if (lease.wanted > lease.held) {
      lease.waiting_since = 1 + Below(20);
      lease.waiting = UpTo(absl::Seconds(5));
    }
    snapshot_.leases.push_back(lease);
  }

  Holding MakeHolding(Bytes held) {
    Holding holding;
    if (Chance(20)) return holding;
    Bytes left = held;
    const auto part = [&] {
      const Bytes bytes = Bytes(left.in_bytes() / (1 + Below(4)));
      left -= bytes;
      return Size(bytes);
    };
    if (Chance(30)) holding.pinned = part();
    holding.spare = part();
    for (Bytes& bytes : holding.cached_by_age) bytes = Chance(40) ? part() : Bytes();
    holding.compactable = part();
    holding.free = part();
    if (Chance(30)) holding.preemptible = part();
    if (Chance(40)) holding.refault = Size(MiB(64) * Below(256));
    if (Chance(70)) holding.response = UpTo(absl::Seconds(3));
    return holding;
  }

  std::mt19937_64 random_;
  const bool hostile_;
  Bytes free_;
  PolicySnapshot snapshot_;
};

// A random order of 0 ... n - 1.
std::vector<size_t> Order(size_t n, std::mt19937_64& random) {
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  return order;
}

// order[new] = old, turned round.
std::vector<size_t> Places(const std::vector<size_t>& order) {
  std::vector<size_t> places(order.size());
  for (size_t i = 0; i < order.size(); ++i) places[order[i]] = i;
  return places;
}

}  // namespace

PolicySnapshot RandomSnapshot(uint64_t seed, Numbers numbers) { return Maker(seed, numbers).Make(); }

PolicySnapshot WithTrimmable(PolicySnapshot snapshot, uint64_t seed, Numbers numbers) {
  std::mt19937_64 random(~seed);
  const auto below = [&](uint64_t n) { return random() % n; };
  const auto size = [&](Bytes usual) {
    return numbers == Numbers::kHostile && below(2) == 0 ? Bytes((random() >> 1) >> below(63)) : usual;
  };
  for (PolicySnapshot::Session& session : snapshot.sessions) {
    if (below(100) < 60) session.trimmable = size(MiB(16) * below(512));
    if (below(100) < 40) {
      session.trim_asked = std::min(session.trimmable, size(MiB(16) * below(256)));
      session.trim_asked_for = absl::Milliseconds(static_cast<int64_t>(below(2) == 0 ? below(500) : below(8'000)));
    }
  }
  if (below(100) < 30) snapshot.trims_awaited = absl::Milliseconds(static_cast<int64_t>(below(400)));
  return snapshot;
}

PolicySnapshot Shuffled(const PolicySnapshot& snapshot, uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::vector<size_t> tenants = Order(snapshot.tenants.size(), random);
  const std::vector<size_t> sessions = Order(snapshot.sessions.size(), random);
  const std::vector<size_t> leases = Order(snapshot.leases.size(), random);
  const std::vector<size_t> tenant_places = Places(tenants);
  const std::vector<size_t> session_places = Places(sessions);
  PolicySnapshot shuffled = snapshot;
  for (size_t i = 0; i < tenants.size(); ++i) shuffled.tenants[i] = snapshot.tenants[tenants[i]];
  for (size_t i = 0; i < sessions.size(); ++i) {
    shuffled.sessions[i] = snapshot.sessions[sessions[i]];
    shuffled.sessions[i].tenant = tenant_places[shuffled.sessions[i].tenant];
  }
  for (size_t i = 0; i < leases.size(); ++i) {
    shuffled.leases[i] = snapshot.leases[leases[i]];
    shuffled.leases[i].tenant = tenant_places[shuffled.leases[i].tenant];
    shuffled.leases[i].session = session_places[shuffled.leases[i].session];
  }
  if (shuffled.turn.has_value()) shuffled.turn->tenant = tenant_places[shuffled.turn->tenant];
  return shuffled;
}

}  // namespace kvbroker
