#include "broker/policy/grants.h"

#include <algorithm>

#include "broker/policy/lending.h"
#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

class Planner {
 public:
  Planner(const Situation& situation, const Shares& shares, const Reclaim& reclaim)
      : situation_(situation),
        shares_(shares),
        reclaim_(reclaim),
        available_(situation.snapshot.available),
        coming_(Plus(situation.returned, reclaim.coming)),
        got_(situation.tenants.size()),
        kept_(situation.snapshot.leases.size()) {
    grants_.slots.resize(situation.snapshot.leases.size());
    grants_.obstacles.resize(situation.snapshot.leases.size());
    for (const TenantState& tenant : situation.tenants)
      idle_reserves_ = Plus(idle_reserves_, tenant.IdleReserve(tenant.held));
  }

  Grants Plan(std::optional<size_t> turn, bool is_short) {
    // Who wants ever more does not come before those who have waited since for what they want.
    first_only_ = true;
    // Promises are kept in the order in which they are called in, whatever the class.
    for (const size_t l : situation_.waiting) {
      if (Missing(l) > 0) ServeAssured(l);
    }
    first_only_ = false;
    InOrder([this](size_t l) { ServeAssured(l); });
    lending_.emplace(situation_, got_, available_);
    if (situation_.snapshot.room_short.IsZero()) {
      // Once: what it keeps for itself stays so whoever comes behind it.
      const std::optional<size_t> first = turn.has_value() ? situation_.tenants[*turn].long_request : std::nullopt;
      if (first.has_value() && Missing(*first) > 0) Serve(*first, Owed(*first));
      InOrder([&](size_t l) {
        if (turn == Lease(l).tenant && first != l) Serve(l, Owed(l));
      });
      InOrder([&](size_t l) {
        if (first != l) Serve(l, Owed(l));
      });
      const bool may_cross = !is_short && kept_sum_.IsZero() && !LendingKeepsSomebodyBack();
      if (may_cross) InOrder([this](size_t l) { Cross(l, Owed(l)); });
      InOrder([this](size_t l) { ServeBeyondOwed(l); });
      if (may_cross) InOrder([this](size_t l) { Cross(l, Entitled(l)); });
    } else {
      WaitForRoom();
    }
    grants_.guarantee_at_risk = lending_->AtRisk();
    return std::move(grants_);
  }

 private:
  const PolicySnapshot::Lease& Lease(size_t l) const { return situation_.snapshot.leases[l]; }
  const TenantState& TenantOf(size_t l) const { return situation_.tenants[Lease(l).tenant]; }
  Bytes Entitled(size_t l) const { return shares_.entitled[Lease(l).tenant]; }
  Bytes Owed(size_t l) const { return shares_.owed[Lease(l).tenant]; }
  Bytes HeldNow(size_t l) const { return Plus(TenantOf(l).held, got_[Lease(l).tenant]); }
  uint64_t Missing(size_t l) const {
    const uint64_t held = Lease(l).held + grants_.slots[l];
    const uint64_t first = Lease(l).first == 0 ? Lease(l).wanted : std::min(Lease(l).first, Lease(l).wanted);
    const uint64_t wanted = first_only_ ? first : Lease(l).wanted;
    return wanted > held ? wanted - held : 0;
  }
  // What was granted a moment ago is of use already.
  uint64_t Least(size_t l) const { return grants_.slots[l] > 0 ? std::min<uint64_t>(Missing(l), 1) : Lease(l).Least(); }

  void ServeAssured(size_t l) { Serve(l, std::min(Entitled(l), TenantOf(l).assured)); }

  template <typename Visit>
  void InOrder(Visit visit) {
    for (int rank = static_cast<int>(TenantClass::kInteractive); rank >= 0; --rank) {
      for (const size_t l : situation_.waiting) {
        if (TenantOf(l).Rank() == rank && Missing(l) > 0) visit(l);
      }
    }
  }

  // Slots that the tenant's own bounds leave, with what binds first.
  uint64_t Allowed(size_t l, Bytes cap, Obstacle& obstacle) const {
    if (!reclaim_.ask[Lease(l).session].IsZero() || situation_.snapshot.sessions[Lease(l).session].missed_target) {
      obstacle = Obstacle::kTarget;
      return 0;
    }
    const PolicySnapshot::Tenant& tenant = situation_.snapshot.tenants[Lease(l).tenant];
    const Bytes limit_left =
        MinusOrZero(tenant.MayHold().value_or(kMostBytes), Plus(tenant.charged, got_[Lease(l).tenant]));
    const uint64_t by_limit = HowMany(limit_left, Lease(l).slot);
    const uint64_t by_cap = HowMany(MinusOrZero(cap, HeldNow(l)), Lease(l).slot);
    obstacle = by_limit <= by_cap ? Obstacle::kLimit : Obstacle::kEntitlement;
    return std::min({Missing(l), by_limit, by_cap});
  }

  // What there is for this lease: not others' reserves, nor what older wants wait for.
  Bytes Usable(size_t l) const {
    const Bytes others = MinusOrZero(idle_reserves_, OwnReserve(l));
    return MinusOrZero(MinusOrZero(available_, others), MinusOrZero(kept_sum_, kept_[l]));
  }
  Bytes OwnReserve(size_t l) const { return MinusOrZero(TenantOf(l).reserved, HeldNow(l)); }
  Bytes OwnAssured(size_t l) const { return MinusOrZero(TenantOf(l).assured, HeldNow(l)); }

  // What can be granted safely. What is assured always can: the book is opened when that has been handed out.
  Bytes Grantable(size_t l) const {
    return lending_.has_value() ? Plus(OwnAssured(l), lending_->Lendable(Lease(l).tenant)) : kMostBytes;
  }

  void Serve(size_t l, Bytes cap) {
    Obstacle& obstacle = grants_.obstacles[l];
    const uint64_t allowed = Allowed(l, cap, obstacle);
    const uint64_t least = Least(l);
    if (allowed < least) return;
    const Bytes usable = Usable(l);
    const uint64_t by_memory = HowMany(usable, Lease(l).slot);
    const uint64_t by_lending = HowMany(Grantable(l), Lease(l).slot);
    const uint64_t slots = std::min({allowed, by_memory, by_lending});
    if (slots < allowed) obstacle = by_lending < by_memory ? Obstacle::kLending : MemoryObstacle(l, least);
    if (slots >= least) Grant(l, slots);
    const uint64_t left = slots >= least ? allowed - slots : allowed;
    const bool lacks_memory = obstacle == Obstacle::kMemory || obstacle == Obstacle::kReserve;
    Keep(l, lacks_memory && Comes(l, left) ? Times(Lease(l).slot, left) : Bytes());
  }

  Obstacle MemoryObstacle(size_t l, uint64_t least) const {
    const Bytes with_reserves = MinusOrZero(available_, MinusOrZero(kept_sum_, kept_[l]));
    const bool would_do = HowMany(with_reserves, Lease(l).slot) >= std::max<uint64_t>(least, 1);
    return would_do ? Obstacle::kReserve : Obstacle::kMemory;
  }

  // Whether what there is and what is on its way will do for some use of the lease, of `left` slots that it may have.
  bool Comes(size_t l, uint64_t left) const {
    return left > 0 && HowMany(Plus(Usable(l), coming_), Lease(l).slot) >= std::min(left, Least(l));
  }

  void Keep(size_t l, Bytes bytes) {
    kept_sum_ = Plus(MinusOrZero(kept_sum_, kept_[l]), bytes);
    kept_[l] = bytes;
  }

  void Grant(size_t l, uint64_t slots) {
    const Bytes bytes = Times(Lease(l).slot, slots);
    const Bytes of_reserve = std::min(bytes, OwnReserve(l));
    const Bytes of_guarantee = std::min(bytes - of_reserve, MinusOrZero(OwnAssured(l), of_reserve));
    if (lending_.has_value()) lending_->Grant(Lease(l).tenant, of_guarantee, bytes - of_reserve - of_guarantee);
    idle_reserves_ = MinusOrZero(idle_reserves_, of_reserve);
    available_ -= bytes;
    got_[Lease(l).tenant] += bytes;
    grants_.slots[l] += slots;
    grants_.granted += bytes;
    if (Missing(l) == 0) grants_.obstacles[l] = Obstacle::kNone;
  }

  bool LendingKeepsSomebodyBack() const {
    return std::any_of(situation_.waiting.begin(), situation_.waiting.end(),
                       [this](size_t l) { return grants_.obstacles[l] == Obstacle::kLending; });
  }

  // Who is not owed it has no obstacle but that.
  void ServeBeyondOwed(size_t l) {
    if (grants_.obstacles[l] != Obstacle::kEntitlement || Owed(l) >= Entitled(l)) return;
    Obstacle obstacle;
    const uint64_t allowed = Allowed(l, Entitled(l), obstacle);
    const uint64_t slots = std::min({allowed, HowMany(Usable(l), Lease(l).slot), HowMany(Grantable(l), Lease(l).slot)});
    if (slots > 0 && slots >= Least(l)) Grant(l, slots);
  }

  // The slot that crosses a bound of its tenant.
  void Cross(size_t l, Bytes bound) {
    const Bytes slot = Lease(l).slot;
    if (grants_.obstacles[l] != Obstacle::kEntitlement || HeldNow(l) >= bound || Least(l) > 1) return;
    Obstacle obstacle;
    if (Allowed(l, Plus(HeldNow(l), slot), obstacle) == 0) return;
    if (slot <= Usable(l) && slot <= Grantable(l)) Grant(l, 1);
  }

  void WaitForRoom() {
    for (const size_t l : situation_.waiting) {
      const Obstacle now = grants_.obstacles[l];
      const bool own_bound = now == Obstacle::kLimit || now == Obstacle::kTarget;
      if (Missing(l) > 0 && !own_bound && HeldNow(l) < Entitled(l)) grants_.obstacles[l] = Obstacle::kRoom;
    }
  }

  const Situation& situation_;
  const Shares& shares_;
  const Reclaim& reclaim_;
  std::optional<LendingBook> lending_;
  Bytes available_;
  const Bytes coming_;
  Bytes idle_reserves_;
  std::vector<Bytes> got_;   // each tenant, of this plan
  std::vector<Bytes> kept_;  // for each lease that waits for more
  Bytes kept_sum_;
  bool first_only_ = false;
  Grants grants_;
};

}  // namespace

Grants PlanGrants(const Situation& situation, const Shares& shares, std::optional<size_t> turn, const Reclaim& reclaim,
                  bool is_short) {
  return Planner(situation, shares, reclaim).Plan(turn, is_short);
}

}  // namespace kvbroker
