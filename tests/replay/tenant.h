#ifndef KVBROKER_TESTS_REPLAY_TENANT_H_
#define KVBROKER_TESTS_REPLAY_TENANT_H_

#include "common/base/unique_fd.h"
#include "tests/replay/options.h"

namespace kvbroker::replay {

// One tenant's process: opens a session and an arena, says Ready on `channel`, waits for the start there, runs an
// engine through the tenant's requests in real time, gives all memory back and says Result. What goes wrong is said as
// Failure.
//
// The start is a line with a time of CLOCK_MONOTONIC in nanoseconds, which all processes of a machine share. The
// process ends when the coordinator does. Returns its exit code.
int RunTenant(const Options& options, UniqueFd channel);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_TENANT_H_
