#ifndef KVBROKER_CLI_SESSION_H_
#define KVBROKER_CLI_SESSION_H_

#include <string>

#include "cli/command.h"
#include "cli/session_argument.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// All that is known of a session, a line each.
std::string RenderSession(const admin::v1::Session& session);

// kvctl session
class SessionCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;

 private:
  SessionArgument session_;
  bool forget_ = false;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_SESSION_H_
