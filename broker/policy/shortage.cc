#include "broker/policy/shortage.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/string_view.h"
#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

// What each tenant could be granted now, were there enough.
std::vector<Bytes> Grantable(const Situation& situation, const std::vector<Bytes>& owed) {
  const PolicySnapshot& snapshot = situation.snapshot;
  std::vector<Bytes> grantable(owed.size());
  for (const size_t l : situation.waiting) {
    const PolicySnapshot::Lease& lease = snapshot.leases[l];
    const TenantState& tenant = situation.tenants[lease.tenant];
    Bytes& sum = grantable[lease.tenant];
    const Bytes left = MinusOrZero(MinusOrZero(owed[lease.tenant], tenant.held), sum);
    const uint64_t slots = std::min(lease.wanted - lease.held, HowMany(left, lease.slot));
    if (slots >= lease.Least()) sum = Plus(sum, Times(lease.slot, slots));
  }
  return grantable;
}

class Collector {
 public:
  Collector(const Situation& situation, Shortage& shortage) : situation_(situation), shortage_(shortage) {}

  void Add(Purpose purpose, size_t tenant, Bytes bytes) {
    if (bytes.IsZero()) return;
    const auto p = static_cast<size_t>(purpose);
    shortage_.needed[p] = Plus(shortage_.needed[p], bytes);
    std::optional<size_t>& first = shortage_.tenant[p];
    if (!first.has_value() || Order(tenant) < Order(*first)) first = tenant;
    if (purpose == Purpose::kGuarantee || purpose == Purpose::kReserve) {
      shortage_.guarantee_deadline =
          std::min(shortage_.guarantee_deadline, situation_.snapshot.tenants[tenant].policy.guarantee_deadline);
    }
  }

 private:
  std::tuple<int, uint64_t, absl::string_view> Order(size_t i) const {
    const TenantState& tenant = situation_.tenants[i];
    return {-static_cast<int>(tenant.tenant_class), tenant.waiting_since, situation_.snapshot.tenants[i].name};
  }

  const Situation& situation_;
  Shortage& shortage_;
};

}  // namespace

Bytes Shortage::Missing(Purpose purpose) const {
  Bytes sum;
  Bytes waiting;
  for (size_t p = 0; p <= static_cast<size_t>(purpose); ++p) {
    sum = Plus(sum, needed[p]);
    if (WaitsForTrims(static_cast<Purpose>(p))) waiting = Plus(waiting, needed[p]);
  }
  return MinusOrZero(sum - std::min({trims, waiting, sum}), supply);
}

std::optional<Purpose> Shortage::First() const {
  for (size_t p = 0; p < kPurposes; ++p) {
    if (!Missing(static_cast<Purpose>(p)).IsZero()) return static_cast<Purpose>(p);
  }
  return std::nullopt;
}

absl::Duration Shortage::Within() const {
  return Missing(Purpose::kReserve).IsZero() ? kUsualDeadline : std::min(kUsualDeadline, guarantee_deadline);
}

Shortage FindShortage(const Situation& situation, const std::vector<Bytes>& owed, std::optional<size_t> turn) {
  Shortage shortage{.supply = Plus(situation.snapshot.available, situation.returned)};
  shortage.needed[static_cast<size_t>(Purpose::kRoom)] = situation.snapshot.room_short;
  Collector collector(situation, shortage);
  const std::vector<Bytes> grantable = Grantable(situation, owed);
  for (size_t i = 0; i < grantable.size(); ++i) {
    const TenantState& tenant = situation.tenants[i];
    Bytes rest = grantable[i];
    const Bytes assured = std::min(rest, MinusOrZero(tenant.assured, tenant.held));
    collector.Add(Purpose::kGuarantee, i, assured);
    collector.Add(Purpose::kReserve, i, MinusOrZero(tenant.IdleReserve(tenant.held), assured));
    rest -= assured;
    if (turn == i) {
      const Bytes need = std::min(rest, MinusOrZero(tenant.need, Plus(tenant.held, assured)));
      collector.Add(Purpose::kTurn, i, need);
      rest -= need;
    }
    const int purpose = static_cast<int>(Purpose::kShareOfBestEffort) - tenant.Rank();
    collector.Add(static_cast<Purpose>(purpose), i, rest);
  }
  return shortage;
}

}  // namespace kvbroker
