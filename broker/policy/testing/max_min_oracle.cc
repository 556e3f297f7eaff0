#include "broker/policy/testing/max_min_oracle.h"

#include <algorithm>
#include <cstdint>

namespace kvbroker {
namespace {

// All of one tenant, as signed numbers of bytes.
struct Tenant {
  int64_t demand = 0;
  int64_t reserved = 0;
  int64_t assured = 0;
  int64_t pinned = 0;
  int64_t need = 0;
  int64_t idle = 0;
  int tenant_class = 0;
  int64_t raised = 0;
  double weight = 1;
};

int64_t Count(Bytes bytes) { return static_cast<int64_t>(bytes.in_bytes()); }

Tenant Read(const PolicySnapshot& snapshot, size_t i) {
  const PolicySnapshot::Tenant& given = snapshot.tenants[i];
  int64_t active_held = 0;
  int64_t idle = 0;
  int64_t got = 0;
  Tenant tenant;
  for (const PolicySnapshot::Session& session : snapshot.sessions) {
    if (session.tenant != i) continue;
    const Holding& h = session.holding;
    tenant.pinned += std::min(Count(session.Held()), Count(h.pinned));
    const int64_t dear = Count(h.pinned + h.preemptible + h.compactable + h.cached_by_age[0] + h.cached_by_age[1]);
    const int64_t room = std::max<int64_t>(0, Count(session.Held()) - dear);
    const int64_t fresh =
        std::max<int64_t>(0, Count(session.protected_bytes) - std::max<int64_t>(0, room - Count(h.Idle())));
    idle += std::max<int64_t>(0, std::min(room, Count(h.Idle())) - fresh);
    active_held += Count(session.Held());
    got += Count(session.protected_bytes);
  }
  const int64_t immovable = std::max<int64_t>(0, Count(given.Held()) - active_held);
  const int64_t no_limit = int64_t{1} << 62;
  const int64_t limit = std::max<int64_t>(0, (given.MayHold() ? Count(*given.MayHold()) : no_limit) - immovable);
  tenant.reserved = std::clamp<int64_t>(Count(given.policy.reserved) - immovable, 0, limit);
  tenant.assured = std::clamp<int64_t>(Count(given.policy.assured()) - immovable, 0, limit);
  tenant.tenant_class = static_cast<int>(given.policy.tenant_class);
  tenant.weight = given.policy.weight;
  int64_t useful = 0;
  bool aged = false;
  for (const PolicySnapshot::Lease& lease : snapshot.leases) {
    if (lease.tenant != i) continue;
    tenant.demand += Count(lease.slot * lease.wanted);
    const bool hopeless =
        Count(lease.slot * lease.Least()) >
        std::min(Count(snapshot.capacity), given.policy.limit ? Count(*given.policy.limit) : no_limit);
    if (lease.wanted <= lease.held || hopeless) continue;
    aged |= lease.waiting > absl::Seconds(2);
    if (got >= Count(lease.slot * lease.Least())) continue;
    if (lease.min_useful > 1 || active_held == 0) useful = std::max(useful, Count(lease.slot * lease.Least()));
  }
  tenant.demand = std::min(tenant.demand, limit);
  tenant.need = std::min(tenant.demand, given.floor.IsZero() ? active_held + useful : Count(given.floor));
  if (given.floor.IsZero() && snapshot.turn.has_value() && snapshot.turn->tenant == i) {
    tenant.need = static_cast<int64_t>(std::min<uint64_t>(snapshot.turn->need.in_bytes(), tenant.need));
  }
  if (given.raise.has_value()) {
    const int64_t most = given.floor.IsZero() ? Count(given.raise->need) : tenant.need;
    if (given.raise->age < absl::Seconds(30)) tenant.raised = std::min(tenant.demand, most);
  } else if (aged && active_held < tenant.need && !given.rests_from_raise) {
    tenant.raised = tenant.need;
  }
  tenant.idle = std::min(tenant.demand, std::max<int64_t>(0, idle - std::max<int64_t>(0, active_held - tenant.demand)));
  return tenant;
}

class Dealer {
 public:
  Dealer(std::vector<Tenant> tenants, int64_t rest, int64_t quantum)
      : tenants_(std::move(tenants)), has_(tenants_.size()), rest_(rest), quantum_(quantum) {}

  // Up to `most(i)` for each, to the one with the lowest `paid(i)` first.
  template <typename Most, typename Paid>
  void Deal(Most most, Paid paid) {
    while (rest_ > 0) {
      size_t next = tenants_.size();
      for (size_t i = 0; i < tenants_.size(); ++i) {
        if (has_[i] < most(i) && (next == tenants_.size() || paid(i) < paid(next))) next = i;
      }
      if (next == tenants_.size()) return;
      const int64_t given = std::min({quantum_, most(next) - has_[next], rest_});
      has_[next] += given;
      rest_ -= given;
    }
  }
  // For shares of a promise: everybody the same fraction of it.
  template <typename Most>
  void DealPromise(Most most) {
    const std::vector<int64_t> before = has_;
    for (int c = 2; c >= 0; --c) {
      Deal([&](size_t i) { return tenants_[i].tenant_class == c ? most(i) : 0; },
           [&](size_t i) {
             return static_cast<double>(has_[i] - before[i]) / static_cast<double>(most(i) - before[i]);
           });
    }
  }
  double Price(size_t i) const {
    const Tenant& tenant = tenants_[i];
    const int64_t taxed = std::max<int64_t>(0, has_[i] - active_most_[i]);
    return (static_cast<double>(has_[i] - taxed) + 4.0 * static_cast<double>(taxed)) / tenant.weight;
  }
  void DealShares() {
    active_most_.resize(tenants_.size());
    for (int c = 2; c >= 0; --c) {
      const auto most = [&](size_t i) {
        const Tenant& tenant = tenants_[i];
        if (tenant.tenant_class == c) return tenant.demand;
        return tenant.tenant_class + 1 == c ? tenant.raised : 0;
      };
      for (size_t i = 0; i < tenants_.size(); ++i) active_most_[i] = tenants_[i].demand - tenants_[i].idle;
      Deal(most, [&](size_t i) { return Price(i); });
    }
  }

  const std::vector<Tenant>& tenants() const { return tenants_; }
  const std::vector<int64_t>& has() const { return has_; }

 private:
  std::vector<Tenant> tenants_;
  std::vector<int64_t> has_;
  std::vector<int64_t> active_most_;
  int64_t rest_;
  int64_t quantum_;
};

}  // namespace

Bytes StaysUnlent(const PolicySnapshot& snapshot) {
  std::vector<Tenant> tenants;
  for (size_t i = 0; i < snapshot.tenants.size(); ++i) tenants.push_back(Read(snapshot, i));
  std::vector<int64_t> held(tenants.size());
  for (const PolicySnapshot::Session& session : snapshot.sessions) held[session.tenant] += Count(session.Held());
  int64_t idle = 0;
  absl::Duration deadline = absl::InfiniteDuration();
  for (size_t i = 0; i < tenants.size(); ++i) {
    const int64_t guaranteed = std::max<int64_t>(0, tenants[i].assured - tenants[i].reserved);
    const auto unused = [&](int64_t used) { return std::clamp<int64_t>(tenants[i].assured - used, 0, guaranteed); };
    idle += unused(std::max(tenants[i].demand, tenants[i].pinned));
    if (unused(held[i]) > 0) deadline = std::min(deadline, snapshot.tenants[i].policy.guarantee_deadline);
  }
  absl::Duration slowest = absl::ZeroDuration();
  for (const PolicySnapshot::Session& session : snapshot.sessions) {
    const Tenant& tenant = tenants[session.tenant];
    if (!session.reported || session.missed_target || std::max(held[session.tenant], tenant.demand) <= tenant.assured) {
      continue;
    }
    const absl::Duration given = session.holding.response;
    const absl::Duration response = given <= absl::ZeroDuration() ? absl::Milliseconds(50) : given;
    if (response <= deadline) slowest = std::max(slowest, response);
  }
  if (slowest == absl::ZeroDuration()) slowest = absl::Milliseconds(50);
  return Bytes(static_cast<uint64_t>(std::min(idle, absl::ToInt64Microseconds(slowest) * 4'000)));
}

std::vector<Bytes> EntitledByQuanta(const PolicySnapshot& snapshot, std::optional<size_t> turn, Bytes quantum) {
  std::vector<Tenant> tenants;
  int64_t rest = Count(snapshot.capacity) - Count(snapshot.room_short);
  for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
    tenants.push_back(Read(snapshot, i));
    int64_t active = 0;
    for (const PolicySnapshot::Session& s : snapshot.sessions) active += s.tenant == i ? Count(s.Held()) : 0;
    rest -= std::max<int64_t>(0, Count(snapshot.tenants[i].Held()) - active);
    rest -= std::max<int64_t>(0, std::max(tenants[i].reserved, tenants[i].pinned) - tenants[i].demand);
  }
  rest -= Count(StaysUnlent(snapshot));
  Dealer dealer(tenants, std::max<int64_t>(0, rest), Count(quantum));
  dealer.DealPromise([&](size_t i) { return std::min(tenants[i].reserved, tenants[i].demand); });
  dealer.DealPromise([&](size_t i) { return std::min(tenants[i].assured, tenants[i].demand); });
  dealer.DealPromise(
      [&](size_t i) { return std::min(std::max(tenants[i].assured, tenants[i].pinned), tenants[i].demand); });
  if (turn.has_value())
    dealer.Deal([&](size_t i) { return i == *turn ? tenants[i].need : 0; }, [](size_t) { return 0; });
  dealer.DealShares();
  std::vector<Bytes> entitled;
  for (const int64_t bytes : dealer.has()) entitled.push_back(Bytes(static_cast<uint64_t>(bytes)));
  return entitled;
}

}  // namespace kvbroker
