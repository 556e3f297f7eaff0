#include "broker/policy/reclaim.h"

#include <algorithm>

#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

enum Promptness : uint8_t { kInTime, kSlow, kMissed };

// Bytes of one price of one session: from `from` to `to` of what it gives back, cheapest first.
struct Offer {
  uint64_t rank;  // by promptness, cost, and the session's place by id: one number, since there are many to sort
  size_t session;
  Bytes from;
  Bytes to;
  Promptness promptness;

  bool operator<(const Offer& other) const { return rank != other.rank ? rank < other.rank : from < other.from; }
};

uint64_t OfferRank(Promptness promptness, uint64_t cost, size_t order) {
  constexpr int kOrderBits = 24;
  constexpr int kCostBits = 32;
  return ((uint64_t{promptness} << kCostBits | cost) << kOrderBits) | order;
}

class Planner {
 public:
  Planner(const Situation& situation, const std::vector<Bytes>& entitled, const Shortage& shortage)
      : situation_(situation), shortage_(shortage) {
    plan_.ask.resize(situation.sessions.size());
    excess_.reserve(entitled.size());
    asked_of_.resize(entitled.size());
    for (size_t i = 0; i < entitled.size(); ++i) {
      excess_.push_back(MinusOrZero(situation.tenants[i].held, entitled[i]));
    }
  }

  Reclaim Plan() {
    AskForLimits();
    if (!shortage_.Missing().IsZero()) {
      KeepWhatIsAsked();
      for (size_t p = 0; p < kPurposes; ++p) {
        const auto purpose = static_cast<Purpose>(p);
        AskFor(purpose);
        if (!IsShare(purpose) && plan_.coming < shortage_.Missing(purpose)) AskForLastSlots(purpose);
      }
    }
    return std::move(plan_);
  }

 private:
  const PolicySnapshot::Session& Given(size_t s) const { return situation_.snapshot.sessions[s]; }
  Bytes& ExcessOf(size_t s) { return excess_[Given(s).tenant]; }

  // Lowers what session `s` may hold by `more`, which its tenant's excess has.
  void Ask(size_t s, Bytes more) {
    plan_.ask[s] += more;
    ExcessOf(s) = MinusOrZero(ExcessOf(s), more);
    asked_of_[Given(s).tenant] = Plus(asked_of_[Given(s).tenant], more);
    plan_.asked = Plus(plan_.asked, more);
    if (!Given(s).missed_target) plan_.coming = Plus(plan_.coming, more);
  }

  Bytes AskedBefore(size_t s) const {
    return Given(s).target.has_value() ? MinusOrZero(situation_.sessions[s].held, *Given(s).target) : Bytes();
  }

  void AskForLimits() {
    std::vector<Bytes> over;
    bool any = false;
    for (const TenantState& tenant : situation_.tenants) {
      over.push_back(MinusOrZero(tenant.held, tenant.limit));
      any = any || !over.back().IsZero();
    }
    if (!any) return;
    for (const size_t s : situation_.by_id) AskForLimit(s, AskedBefore(s), over);
    std::vector<size_t> by_size = situation_.by_id;
    std::stable_sort(by_size.begin(), by_size.end(),
                     [this](size_t a, size_t b) { return situation_.sessions[a].held > situation_.sessions[b].held; });
    for (const size_t s : by_size) AskForLimit(s, situation_.sessions[s].held, over);
  }

  void AskForLimit(size_t s, Bytes most, std::vector<Bytes>& over) {
    const Bytes can = MinusOrZero(situation_.sessions[s].held, plan_.ask[s]);
    const Bytes more = std::min({most, can, over[Given(s).tenant]});
    over[Given(s).tenant] -= more;
    Ask(s, more);
  }

  void KeepWhatIsAsked() {
    const std::vector<bool> keeps_all = TenantsWhoseAsksFit();
    for (const size_t s : situation_.by_id) {
      const Bytes before = MinusOrZero(AskedBefore(s), plan_.ask[s]);
      if (before.IsZero()) continue;
      const Bytes excess = ExcessOf(s);
      const bool keeps = keeps_all[Given(s).tenant] || before <= excess;
      Ask(s, keeps ? before : RoundedDown(excess, situation_.sessions[s].slot));
    }
  }

  // Whether a tenant's sessions were asked for no more than it has too much, and a slot that crosses its share where that
  // may be asked for.
  std::vector<bool> TenantsWhoseAsksFit() const {
    std::vector<Bytes> asked(excess_.size());
    std::vector<Bytes> last_slot(excess_.size());
    for (const size_t s : situation_.by_id) {
      const size_t tenant = Given(s).tenant;
      asked[tenant] = Plus(asked[tenant], MinusOrZero(AskedBefore(s), plan_.ask[s]));
      if (!IsShare(*shortage_.First())) last_slot[tenant] = std::max(last_slot[tenant], situation_.sessions[s].slot);
    }
    std::vector<bool> fit(excess_.size());
    for (size_t i = 0; i < fit.size(); ++i) {
      const TenantState& tenant = situation_.tenants[i];
      const bool with_last = !excess_[i].IsZero() && asked[i] < Plus(excess_[i], last_slot[i]) &&
                             asked[i] <= MinusOrZero(MinusOrZero(tenant.held, asked_of_[i]), tenant.assured);
      fit[i] = asked[i] <= excess_[i] || with_last;
    }
    return fit;
  }

  void AskFor(Purpose purpose) {
    const Bytes needed = shortage_.Missing(purpose);
    if (plan_.coming >= needed) return;
    if (offers_.empty()) MakeOffers();
    const Bytes missing = needed - plan_.coming;
    Bytes quota = std::max(kLeastReclaim, Scaled(missing, kReclaimQuarters, 4));
    size_t next = 0;
    for (; next < offers_.size() && offers_[next].promptness != kMissed && !quota.IsZero(); ++next) {
      quota = MinusOrZero(quota, Accept(offers_[next], quota, purpose));
    }
    while (next < offers_.size() && offers_[next].promptness != kMissed) ++next;
    Bytes still_missing = MinusOrZero(needed, plan_.asked);
    for (; next < offers_.size() && !still_missing.IsZero(); ++next) {
      still_missing = MinusOrZero(still_missing, Accept(offers_[next], still_missing, purpose));
    }
  }

  // Takes what it can of an offer, in whole slots, and returns how much that is.
  Bytes Accept(const Offer& offer, Bytes quota, Purpose purpose) {
    const Bytes ask = plan_.ask[offer.session];
    if (ask >= offer.to) return Bytes();
    const SessionState& session = situation_.sessions[offer.session];
    const Bytes wish = std::min(offer.to, Plus(std::max(ask, offer.from), quota));
    const Bytes most = std::min(MostOf(offer.session, purpose),
                                Plus(ask, last_slots_ ? WithLastSlot(offer.session) : ExcessOf(offer.session)));
    Bytes new_ask = RoundedUp(wish, session.slot);
    if (new_ask > most) new_ask = RoundedDown(std::min(wish, most), session.slot);
    if (new_ask <= ask) return Bytes();
    Ask(offer.session, new_ask - ask);
    return new_ask - ask;
  }

  // Shares are in bytes and memory comes in slots: what is more urgent than a share is not kept waiting for the slot that
  // crosses somebody's share.
  void AskForLastSlots(Purpose purpose) {
    last_slots_ = true;
    AskFor(purpose);
    last_slots_ = false;
  }

  // What its tenant has too much, up to a whole slot, as long as what is assured to it stays.
  Bytes WithLastSlot(size_t s) const {
    const Bytes excess = excess_[Given(s).tenant];
    if (excess.IsZero()) return excess;
    const TenantState& tenant = situation_.tenants[Given(s).tenant];
    const Bytes unasked = MinusOrZero(tenant.held, asked_of_[Given(s).tenant]);
    return std::min(RoundedUp(excess, situation_.sessions[s].slot),
                    std::max(excess, MinusOrZero(unasked, tenant.assured)));
  }

  // What a session can be asked for in all.
  Bytes MostOf(size_t s, Purpose purpose) const {
    const SessionState& session = situation_.sessions[s];
    const Bytes can = MinusOrZero(session.held, session.pinned);
    const TenantClass tenant_class = situation_.tenants[Given(s).tenant].tenant_class;
    const bool is_protected = IsShare(purpose) && RankOf(purpose) <= static_cast<int>(tenant_class);
    return is_protected ? MinusOrZero(can, Given(s).protected_bytes) : can;
  }

  Promptness PromptnessOf(size_t s) const {
    if (Given(s).missed_target) return kMissed;
    return Given(s).holding.response > shortage_.Within() ? kSlow : kInTime;
  }

  void MakeOffers() {
    offers_.reserve(situation_.by_id.size() * kPriceClasses);
    for (size_t order = 0; order < situation_.by_id.size(); ++order) {
      const size_t s = situation_.by_id[order];
      if (ExcessOf(s).IsZero()) continue;
      const SessionState& session = situation_.sessions[s];
      const uint64_t class_cost = kClassCost[static_cast<size_t>(situation_.tenants[Given(s).tenant].tenant_class)];
      const Promptness promptness = PromptnessOf(s);
      Bytes from;
      for (size_t price = 0; price < kPriceClasses; ++price) {
        const Bytes to = from + session.priced[price];
        if (to > std::max(from, plan_.ask[s])) {
          offers_.push_back({OfferRank(promptness, CostOf(s, price) * class_cost, order), s, from, to, promptness});
        }
        from = to;
      }
    }
    std::sort(offers_.begin(), offers_.end());
  }

  uint64_t CostOf(size_t s, size_t price) const {
    constexpr uint64_t kUnits = 16;  // of which cost is a whole number
    const bool is_cached = price >= kOldestCached && price <= kYoungestCached;
    const Bytes held = situation_.sessions[s].held;
    if (!is_cached || held.IsZero()) return kPrices[price] * kUnits;
    const Bytes refault = std::min(Given(s).holding.refault, held);
    const uint64_t dearer = Scaled(refault, kUnits * (kRefaultCost - 1), held.in_bytes()).in_bytes();
    return kPrices[price] * (kUnits + dearer);
  }

  const Situation& situation_;
  const Shortage& shortage_;
  std::vector<Bytes> excess_;    // each tenant's, not asked for yet
  std::vector<Bytes> asked_of_;  // each tenant
  bool last_slots_ = false;
  std::vector<Offer> offers_;
  Reclaim plan_;
};

}  // namespace

Reclaim PlanReclaim(const Situation& situation, const std::vector<Bytes>& entitled, const Shortage& shortage) {
  return Planner(situation, entitled, shortage).Plan();
}

}  // namespace kvbroker
