#ifndef KVBROKER_TESTS_REPLAY_WORKLOAD_H_
#define KVBROKER_TESTS_REPLAY_WORKLOAD_H_

#include <vector>

#include "absl/status/statusor.h"
#include "tests/replay/options.h"
#include "tests/replay/request.h"

namespace kvbroker::replay {

// Each tenant's requests by arrival, from its traces or made up, cut as the options say. The same options give the same
// requests in every process.
//
// Errors are those of ReadTrace. INVALID_ARGUMENT: a tenant is left without a trace while others have one.
absl::StatusOr<std::vector<std::vector<Request>>> MakeWorkload(const Options& options);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_WORKLOAD_H_
