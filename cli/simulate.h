#ifndef KVBROKER_CLI_SIMULATE_H_
#define KVBROKER_CLI_SIMULATE_H_

#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/policy_options.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// What would be decided, as a table of the tenants.
std::string RenderSimulation(const admin::v1::SimulateRequest& request, const admin::v1::SimulateResponse& response);

// kvctl simulate TENANT [--want SIZE] [options of the policy]
class SimulateCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;

 private:
  std::string tenant_;
  std::optional<std::string> want_;
  PolicyOptions policy_;
  admin::v1::SimulateRequest request_;  // made by Check
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_SIMULATE_H_
