#ifndef KVBROKER_CLI_POLICY_OPTIONS_H_
#define KVBROKER_CLI_POLICY_OPTIONS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cli/command.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// The options that say what a tenant's policy is to be, as every command that takes them declares them.
class PolicyOptions {
 public:
  void Declare(CLI::App& app);

  // Whether one of them is there.
  bool given() const;

  // What they ask for; the tenant's name, and how it is to be set, are the caller's to fill in. INVALID_ARGUMENT names
  // the option and its value.
  absl::StatusOr<admin::v1::SetTenantRequest> Parse() const;

 private:
  std::optional<std::string> limit_;
  std::optional<std::string> reserved_;
  std::optional<std::string> guarantee_;
  std::optional<std::string> deadline_;
  std::optional<std::string> weight_;
  std::optional<std::string> tenant_class_;
  std::optional<std::string> missed_target_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_POLICY_OPTIONS_H_
