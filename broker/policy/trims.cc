#include "broker/policy/trims.h"

#include <algorithm>
#include <cstddef>

#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

// Mapped and of no use to those who hold it, beyond their tenants' entitlement.
Bytes CheaperBytes(const Situation& situation, const std::vector<Bytes>& entitled) {
  std::vector<Bytes> excess;
  excess.reserve(entitled.size());
  for (size_t i = 0; i < entitled.size(); ++i) excess.push_back(MinusOrZero(situation.tenants[i].held, entitled[i]));
  Bytes sum;
  for (size_t s = 0; s < situation.sessions.size(); ++s) {
    const SessionState& session = situation.sessions[s];
    Bytes& left = excess[situation.snapshot.sessions[s].tenant];
    const Bytes cheap = std::min(Plus(session.priced[kSpare], session.priced[kFree]), left);
    left -= cheap;
    sum = Plus(sum, cheap);
  }
  return sum;
}

}  // namespace

Trims PlanTrims(const Situation& situation, const std::vector<Bytes>& entitled, const Shortage& shortage) {
  Trims trims;
  if (shortage.Missing().IsZero()) return trims;
  const std::vector<PolicySnapshot::Session>& sessions = situation.snapshot.sessions;
  for (const PolicySnapshot::Session& session : sessions) trims.coming = Plus(trims.coming, session.trimming);
  Bytes rest = MinusOrZero(MinusOrZero(shortage.Missing(), trims.coming), CheaperBytes(situation, entitled));
  std::vector<size_t> by_size = situation.by_id;
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return sessions[a].trimmable > sessions[b].trimmable; });
  for (const size_t s : by_size) {
    if (rest.IsZero() || sessions[s].trimmable < kLeastTrim) break;
    trims.asks.push_back({.session = sessions[s].id, .bytes = sessions[s].trimmable});
    trims.coming = Plus(trims.coming, sessions[s].trimmable);
    rest = MinusOrZero(rest, sessions[s].trimmable);
  }
  return trims;
}

}  // namespace kvbroker
