#ifndef KVBROKER_TESTS_REPLAY_COORDINATOR_H_
#define KVBROKER_TESTS_REPLAY_COORDINATOR_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/replay/options.h"
#include "tests/replay/report.h"

namespace kvbroker::replay {

// Starts a process for each tenant with `arguments`, which are this process's own, lets them begin together, watches
// the broker until all have ended, and puts together what they and it said.
//
// Errors: the first tenant's that fails, with its name; the others are ended.
absl::StatusOr<Report> RunReplay(const Options& options, const std::vector<std::string>& arguments);

// What each tenant's load would take of memory without end, for people.
absl::StatusOr<std::string> DescribeDemand(const Options& options);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_COORDINATOR_H_
