#ifndef KVBROKER_CLI_LIMIT_H_
#define KVBROKER_CLI_LIMIT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/command.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// Reads "40GiB", "50%" or "none". INVALID_ARGUMENT names the text.
absl::StatusOr<admin::v1::SetLimitRequest> ParseLimit(absl::string_view text);

// What was set, in a line.
std::string RenderLimit(absl::string_view tenant, const admin::v1::SetLimitResponse& response);

// kvctl limit TENANT SIZE|PERCENT|none
class LimitCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;

 private:
  std::string tenant_;
  std::string limit_;
  admin::v1::SetLimitRequest request_;  // what Check made of them
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_LIMIT_H_
