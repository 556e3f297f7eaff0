#ifndef KVBROKER_CLI_TENANT_H_
#define KVBROKER_CLI_TENANT_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/command.h"
#include "cli/policy_options.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// The tenant of that name. NOT_FOUND names it and those there are.
absl::StatusOr<admin::v1::Tenant> FindTenant(const admin::v1::ListTenantsResponse& tenants, absl::string_view name);

// A tenant's policy and what has come of it, as a page. `status` is of the same broker.
std::string RenderTenant(const admin::v1::Status& status, const admin::v1::Tenant& tenant);

// What was set, in a line.
std::string RenderChange(absl::string_view tenant, const admin::v1::SetTenantResponse& response);
std::string RenderDeletion(absl::string_view tenant, const admin::v1::DeleteTenantResponse& response);

// kvctl tenant TENANT [options of the policy]
class TenantCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;

 private:
  absl::Status Show(const Context& context, const Connection& broker) const;

  std::string tenant_;
  PolicyOptions policy_;
  bool force_ = false;
  bool create_ = false;
  bool delete_ = false;
  std::optional<std::string> if_revision_;
  // Made by Check, one at the most; neither: show it.
  std::optional<admin::v1::SetTenantRequest> change_;
  std::optional<admin::v1::DeleteTenantRequest> deletion_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_TENANT_H_
