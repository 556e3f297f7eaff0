#ifndef KVBROKER_TESTS_REPLAY_HOLDING_H_
#define KVBROKER_TESTS_REPLAY_HOLDING_H_

#include <cstddef>

#include "absl/time/time.h"
#include "client/arena/holding_report.h"
#include "tests/replay/block_store.h"

namespace kvbroker::replay {

// The class of HoldingReport::cached_by_age for what was last used so long ago.
size_t AgeClassOf(absl::Duration age);

// What the store's taken slots are worth, by whole slots, because that is what comes back: one with a block of a
// running request is preemptible, one with nothing but cached blocks is as young as the youngest of them.
HoldingReport HoldingOf(const BlockStore& store, absl::Duration now);

// What a tenant says that wants to be thought of as cheap: all of it cached, and unused for hours.
HoldingReport PretendedHoldingOf(const BlockStore& store);

// All but the response, which is no holding.
bool SameHolding(const HoldingReport& a, const HoldingReport& b);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_HOLDING_H_
