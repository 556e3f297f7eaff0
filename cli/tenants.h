#ifndef KVBROKER_CLI_TENANTS_H_
#define KVBROKER_CLI_TENANTS_H_

#include <string>

#include "cli/command.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// The tenants and what each has. `status` is of the same broker.
std::string RenderTenants(const admin::v1::Status& status, const admin::v1::ListTenantsResponse& tenants);

// kvctl tenants
class TenantsCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Run(const Context& context) override;

 private:
  bool names_only_ = false;  // for completion: one name a line
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_TENANTS_H_
