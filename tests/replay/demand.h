#ifndef KVBROKER_TESTS_REPLAY_DEMAND_H_
#define KVBROKER_TESTS_REPLAY_DEMAND_H_

#include <vector>

#include "absl/time/time.h"
#include "common/base/bytes.h"
#include "tests/replay/block_pool.h"
#include "tests/replay/engine.h"
#include "tests/replay/request.h"

namespace kvbroker::replay {

// What an engine would take of memory without end.
struct Demand {
  Bytes peak;           // in slots
  absl::Duration ends;  // when the last request does
};

// Runs an engine on paper. Linear in the tokens.
Demand DemandOf(const EngineOptions& options, const std::vector<Request>& requests, const BlockLayout& layout,
                absl::Duration step_time);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_DEMAND_H_
