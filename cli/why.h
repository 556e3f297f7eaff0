#ifndef KVBROKER_CLI_WHY_H_
#define KVBROKER_CLI_WHY_H_

#include <string>

#include "cli/command.h"
#include "cli/session_argument.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// The rule that bounds a session, and what goes into it.
std::string RenderWhy(const admin::v1::WhyResponse& response);

// kvctl why SESSION
class WhyCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;

 private:
  SessionArgument session_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_WHY_H_
