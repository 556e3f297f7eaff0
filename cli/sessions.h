#ifndef KVBROKER_CLI_SESSIONS_H_
#define KVBROKER_CLI_SESSIONS_H_

#include <string>

#include "cli/command.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// The sessions and what each holds. `status` is of the same broker.
std::string RenderSessions(const admin::v1::Status& status, const admin::v1::ListSessionsResponse& sessions);

// kvctl sessions
class SessionsCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Run(const Context& context) override;

 private:
  bool ids_only_ = false;  // for completion: one number a line
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_SESSIONS_H_
