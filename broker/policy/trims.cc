#include "broker/policy/trims.h"

#include <algorithm>

#include "broker/policy/reclaim.h"
#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

class Planner {
 public:
  Planner(const Situation& situation, const std::vector<Bytes>& entitled, const Shortage& shortage)
      : situation_(situation), entitled_(entitled), shortage_(shortage) {
    for (const size_t s : situation.by_id) {
      const PolicySnapshot::Session& session = Given(s);
      const Bytes coming = session.trim_asked_for < kTrimComes ? session.trim_asked : Bytes();
      asked_lately_ = Plus(asked_lately_, coming);
      if (MayBeAsked(session)) askable_.push_back(s);
      if (MayBeAsked(session) || !coming.IsZero()) to_be_had_ = Plus(to_be_had_, std::max(session.trimmable, coming));
    }
    const Bytes of_use = Plus(situation.snapshot.growable, situation.snapshot.room_short);
    asked_lately_ = std::min(asked_lately_, of_use);
    to_be_had_ = std::min(to_be_had_, of_use);
    of_use_now_ = of_use - asked_lately_;
  }

  Trims Plan(std::optional<size_t> turn) {
    if (!askable_.empty() && !of_use_now_.IsZero()) Ask(std::min(Lacking(turn), of_use_now_));
    const bool too_long = situation_.snapshot.trims_awaited.value_or(absl::ZeroDuration()) >= kTrimComes;
    if (!too_long) trims_.coming = Plus(asked_lately_, asked_now_);
    return std::move(trims_);
  }

 private:
  const PolicySnapshot::Session& Given(size_t s) const { return situation_.snapshot.sessions[s]; }

  static bool MayBeAsked(const PolicySnapshot::Session& session) {
    return session.trimmable >= kLeastTrim &&
           session.trim_asked_for >= (session.trim_asked.IsZero() ? kTrimComes : kTrimAgain);
  }

  // Of what the wants could have if all that can be let go of were free: what neither is there nor comes. Cheaper bytes
  // only do for those who have less than their shares.
  Bytes Lacking(std::optional<size_t> turn) const {
    const Bytes potential = Plus(situation_.distributable, to_be_had_);
    std::vector<Bytes> wished;
    wished.reserve(situation_.tenants.size());
    for (const TenantState& tenant : situation_.tenants) wished.push_back(std::min(tenant.demand, potential));
    const Bytes missing = FindShortage(situation_, wished, turn).Missing();
    const Bytes uncovered = MinusOrZero(missing, asked_lately_);
    return missing > shortage_.Missing() ? uncovered : MinusOrZero(uncovered, Cheaper());
  }

  // What is spare or free, or asked for already, with those who hold more than their shares and have not missed a target.
  Bytes Cheaper() const {
    std::vector<Bytes> cheap(entitled_.size());
    for (const size_t s : situation_.by_id) {
      const PolicySnapshot::Session& session = Given(s);
      if (session.missed_target) continue;
      const SessionState& state = situation_.sessions[s];
      const Bytes unused = MinusOrZero(Plus(state.priced[kSpare], state.priced[kFree]), session.protected_bytes);
      const Bytes asked = MinusOrZero(state.held, session.target.value_or(state.held));
      cheap[session.tenant] = Plus(cheap[session.tenant], std::max(unused, asked));
    }
    Bytes sum;
    for (size_t i = 0; i < cheap.size(); ++i) {
      sum = Plus(sum, std::min(cheap[i], MinusOrZero(situation_.tenants[i].held, entitled_[i])));
    }
    return sum;
  }

  void Ask(Bytes lacking) {
    if (lacking.IsZero()) return;
    std::stable_sort(askable_.begin(), askable_.end(),
                     [this](size_t a, size_t b) { return Given(a).trimmable > Given(b).trimmable; });
    const Bytes quota = std::max(kLeastReclaim, Scaled(lacking, kReclaimQuarters, 4));
    for (const size_t s : askable_) {
      if (asked_now_ >= lacking) return;
      const Bytes bytes = std::min(Given(s).trimmable, std::max(kLeastTrim, MinusOrZero(quota, asked_now_)));
      trims_.ask.push_back({.session = Given(s).id, .bytes = bytes});
      asked_now_ = Plus(asked_now_, bytes);
    }
  }

  const Situation& situation_;
  const std::vector<Bytes>& entitled_;
  const Shortage& shortage_;
  std::vector<size_t> askable_;
  Bytes to_be_had_;     // of these, and of those who were asked lately
  Bytes asked_lately_;  // and not come yet
  Bytes of_use_now_;    // beside these
  Bytes asked_now_;
  Trims trims_;
};

}  // namespace

Trims PlanTrims(const Situation& situation, const std::vector<Bytes>& entitled, std::optional<size_t> turn,
                const Shortage& shortage) {
  return Planner(situation, entitled, shortage).Plan(turn);
}

}  // namespace kvbroker
