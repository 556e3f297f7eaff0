// The tenants: who may borrow, and what each has.
//
//   $ kvctl tenants
//   HOST-demo (host memory, 20 GiB): capacity 20.0 GiB
//
//   TENANT   GRANTED     LIMIT  CONFIGURED    WANTED      PEAK  SESSIONS
//   batch    4.5 GiB      none        none   4.5 GiB   9.0 GiB         1
//   chat     8.0 GiB  10.0 GiB     8.0 GiB  10.0 GiB  10.0 GiB         2

#include "cli/tenants.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "cli/format.h"
#include "cli/headline.h"
#include "cli/json.h"
#include "common/base/status.h"

namespace kvbroker::cli {

std::string RenderTenants(const admin::v1::Status& status, const admin::v1::ListTenantsResponse& tenants) {
  const std::string headline = absl::StrCat(Headline(status), "\n\n");
  if (tenants.tenants().empty()) return absl::StrCat(headline, "No tenants.\n");
  Table table(
      {{"TENANT", Table::Align::kLeft}, {"GRANTED"}, {"LIMIT"}, {"CONFIGURED"}, {"WANTED"}, {"PEAK"}, {"SESSIONS"}});
  for (const admin::v1::Tenant& tenant : tenants.tenants()) {
    table.AddRow({tenant.name(), FormatSize(tenant.granted()), FormatLimit(tenant),
                  tenant.configured_limit() == 0 ? "none" : FormatSize(tenant.configured_limit()),
                  FormatSize(tenant.wanted()), FormatSize(tenant.peak()), absl::StrCat(tenant.sessions())});
  }
  return absl::StrCat(headline, table.ToString());
}

Command::Text TenantsCommand::text() const {
  return {.name = "tenants",
          .what = "List the tenants: what each is granted, wants and may have",
          .examples =
              "  kvctl tenants\n"
              "  kvctl tenants --json | jq -r '.tenants[] | select(.unlimited) | .name'\n"
              "LIMIT is in force now; CONFIGURED is what the tenant started with. WANTED holds GRANTED;\n"
              "PEAK is the most it was ever granted since the broker's start.\n"};
}

void TenantsCommand::Declare(CLI::App& app) { app.add_flag("--names", names_only_, "Names alone")->group(""); }

absl::Status TenantsCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  KVB_ASSIGN_OR_RETURN(const admin::v1::ListTenantsResponse tenants,
                       broker.Ask(&admin::v1::Admin::Stub::ListTenants, admin::v1::ListTenantsRequest()));
  if (context.output == Output::kJson) {
    context.console.out << ToJson(tenants);
    return absl::OkStatus();
  }
  if (names_only_) {
    for (const admin::v1::Tenant& tenant : tenants.tenants()) context.console.out << tenant.name() << "\n";
    return absl::OkStatus();
  }
  KVB_ASSIGN_OR_RETURN(const admin::v1::Status status,
                       broker.Ask(&admin::v1::Admin::Stub::GetStatus, admin::v1::GetStatusRequest()));
  context.console.out << RenderTenants(status, tenants);
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
