#ifndef KVBROKER_CLI_LAST_SESSIONS_H_
#define KVBROKER_CLI_LAST_SESSIONS_H_

#include <string>

#include "absl/status/status.h"
#include "cli/connect.h"
#include "cli/console.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// "2 sessions are left: 3 (chat, pid 71), 4 (batch, pid 90)"; beyond five they are counted.
std::string RenderLastSessions(const admin::v1::ListSessionsResponse& sessions);

// Returns once no session is left; says on the console's err who is, whenever that changes. UNAVAILABLE: the broker has gone.
absl::Status AwaitLastSession(const Connection& broker, const Console& console);

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_LAST_SESSIONS_H_
