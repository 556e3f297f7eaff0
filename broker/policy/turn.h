#ifndef KVBROKER_BROKER_POLICY_TURN_H_
#define KVBROKER_BROKER_POLICY_TURN_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "broker/policy/situation.h"
#include "common/base/bytes.h"

namespace kvbroker {

// Whose turn it is to have what one request needs, before others get their shares; `fair` is what everybody should have
// were there no turns.
//
// A tenant starves when it has waited for more than kAgeingStep and what it needs for progress is more than its fair
// share. The tenant that has the turn keeps it while it needs more than its fair share, for kLongestTurn, and longer if
// nobody waits for a share meanwhile; it rests for as long as that then. Next is the starving tenant whose last turn is
// longest ago, and of those that had none the one that waits longest. Who could not have what it needs even with the turn
// (it does not fit beside what is assured to others and what they pinned) gets none: it would take from all and get
// nowhere.
std::optional<size_t> ChooseTurn(const Situation& situation, const std::vector<Bytes>& fair);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_TURN_H_
