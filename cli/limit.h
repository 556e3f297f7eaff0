#ifndef KVBROKER_CLI_LIMIT_H_
#define KVBROKER_CLI_LIMIT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "cli/command.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// What was set, in a line.
std::string RenderLimit(absl::string_view tenant, const admin::v1::SetTenantResponse& response);

// "; it holds 1.0 GiB more and is asked to give that back", or nothing.
std::string FormatOver(const admin::v1::SetTenantResponse& response);

// kvctl limit TENANT SIZE|PERCENT|none|initial
class LimitCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;

 private:
  std::string tenant_;
  std::string limit_;
  admin::v1::SetTenantRequest request_;  // Check fills in what the arguments say
  bool force_ = false;
  bool create_ = false;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_LIMIT_H_
