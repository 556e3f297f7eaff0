#include "broker/policy/verdicts.h"

#include <algorithm>
#include <array>

#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

using Verdict = PolicyPlan::Verdict;

class Judge {
 public:
  Judge(const Situation& situation, const Decided& decided) : situation_(situation), decided_(decided) {
    const size_t n = situation.tenants.size();
    for (size_t s = 0; s < situation.sessions.size(); ++s) {
      if (asked_.empty()) asked_.resize(n);
      Bytes& asked = asked_[situation.snapshot.sessions[s].tenant];
      asked = Plus(asked, decided.reclaim.ask[s]);
    }
    asked_.resize(n);
    most_asked_ = Most([this](size_t i) { return asked_[i]; });
    most_reserve_ = Most([this](size_t i) { return Tenant(i).IdleReserve(Tenant(i).held); });
    most_guarantee_ = Most([this](size_t i) { return Tenant(i).IdleGuarantee(Tenant(i).held); });
    most_entitled_ = Most([&](size_t i) { return decided_.entitled[i]; });
    next_entitled_ = Most([&](size_t i) { return most_entitled_ == i ? Bytes() : decided_.entitled[i]; });
    for (size_t c = 0; c < highest_above_.size(); ++c) {
      highest_above_[c] = Most([&](size_t i) {
        return static_cast<size_t>(Tenant(i).tenant_class) > c ? MinusOrZero(decided_.entitled[i], Tenant(i).assured)
                                                               : Bytes();
      });
    }
    for (size_t i = 0; i < n; ++i) lacking_ += decided.entitled[i] < Tenant(i).demand ? 1 : 0;
  }

  Verdict Of(size_t l) const {
    const PolicySnapshot::Lease& lease = situation_.snapshot.leases[l];
    if (lease.wanted <= lease.held + decided_.grants.slots[l]) return {Rule::kMet};
    if (IsImpossible(situation_.snapshot, lease)) return {Rule::kImpossible};
    switch (decided_.grants.obstacles[l]) {
      case Obstacle::kLimit:
        return {Rule::kLimit};
      case Obstacle::kTarget:
        if (situation_.snapshot.sessions[lease.session].missed_target) return {Rule::kMissedTarget};
        break;
      case Obstacle::kRoom:
        return {Rule::kRoom};
      case Obstacle::kLending:
        return {Rule::kGuarantee, most_guarantee_};
      case Obstacle::kReserve:
        return {Rule::kReserved, most_reserve_};
      case Obstacle::kMemory:
        return OfMemory();
      case Obstacle::kEntitlement:
      case Obstacle::kNone:
        break;
    }
    return OfShare(lease);
  }

 private:
  const TenantState& Tenant(size_t i) const { return situation_.tenants[i]; }

  // The tenant of which there is most; of equals the one whose name is first. None: nobody has any.
  template <typename Amount>
  std::optional<size_t> Most(Amount amount) const {
    std::optional<size_t> most;
    for (size_t i = 0; i < situation_.tenants.size(); ++i) {
      if (amount(i) == Bytes()) continue;
      if (!most.has_value() || amount(i) > amount(*most) || (amount(i) == amount(*most) && Name(i) < Name(*most))) {
        most = i;
      }
    }
    return most;
  }
  const std::string& Name(size_t i) const { return situation_.snapshot.tenants[i].name; }

  Verdict OfMemory() const {
    if (!situation_.snapshot.room_short.IsZero()) return {Rule::kRoom};
    const bool comes =
        !decided_.reclaim.asked.IsZero() || !decided_.reclaim.coming.IsZero() || !situation_.returned.IsZero();
    return comes ? Verdict{Rule::kOnItsWay, most_asked_} : Verdict{Rule::kFull};
  }

  // Its tenant is entitled to no more that would be of use.
  Verdict OfShare(const PolicySnapshot::Lease& lease) const {
    const size_t own = lease.tenant;
    const Bytes useful = Plus(Tenant(own).held, Times(lease.slot, lease.Least()));
    if (useful > Tenant(own).limit) return {Rule::kLimit};
    if (decided_.turn.has_value() && *decided_.turn != own && decided_.fair[own] >= useful) {
      return {Rule::kTurn, decided_.turn};
    }
    const std::optional<size_t> higher = highest_above_[static_cast<size_t>(Tenant(own).tenant_class)];
    if (higher.has_value()) return {Rule::kClass, higher};
    const std::optional<size_t> rival = most_entitled_ == own ? next_entitled_ : most_entitled_;
    if (lacking_ > 1 || (rival.has_value() && !most_reserve_.has_value())) return {Rule::kShare, rival};
    if (most_reserve_.has_value() && *most_reserve_ != own) return {Rule::kReserved, most_reserve_};
    return {Rule::kFull};
  }

  const Situation& situation_;
  const Decided& decided_;
  std::vector<Bytes> asked_;  // of each tenant
  std::optional<size_t> most_asked_;
  std::optional<size_t> most_reserve_;
  std::optional<size_t> most_guarantee_;
  std::optional<size_t> most_entitled_;
  std::optional<size_t> next_entitled_;
  std::array<std::optional<size_t>, 3> highest_above_;  // of each class: who of a higher one has most of a share
  size_t lacking_ = 0;                                  // tenants that want more than they should have
};

}  // namespace

std::vector<Verdict> MakeVerdicts(const Situation& situation, const Decided& decided) {
  const Judge judge(situation, decided);
  std::vector<Verdict> verdicts;
  verdicts.reserve(situation.snapshot.leases.size());
  for (size_t l = 0; l < situation.snapshot.leases.size(); ++l) verdicts.push_back(judge.Of(l));
  return verdicts;
}

}  // namespace kvbroker
