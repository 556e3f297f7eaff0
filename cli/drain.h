#ifndef KVBROKER_CLI_DRAIN_H_
#define KVBROKER_CLI_DRAIN_H_

#include <string>

#include "cli/command.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

std::string RenderDrain(const admin::v1::DrainRequest& request, const admin::v1::DrainResponse& response);

// kvctl drain
class DrainCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;

 private:
  bool off_ = false;
  bool wait_ = false;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_DRAIN_H_
