// The tenants: who may borrow, under which policy, and what each has.
//
//   $ kvctl tenants
//   HOST-demo (host memory, 24 GiB): capacity 20.0 GiB
//
//   TENANT  CLASS        WEIGHT  GRANTED    SHARE    WANTED  RESERVED  GUARANTEE     LIMIT  SESSIONS
//   batch   batch            50  4.5 GiB  4.5 GiB   4.5 GiB   1.0 GiB          -      none         1
//   chat*   interactive     200  8.0 GiB  9.0 GiB  10.0 GiB         -    4.0 GiB  10.0 GiB         2
//
//   * has the turn: of those that starve it is served next

#include "cli/tenants.h"

#include <CLI/CLI.hpp>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "cli/format.h"
#include "cli/headline.h"
#include "cli/json.h"
#include "cli/policy_text.h"
#include "common/base/status.h"

namespace kvbroker::cli {

namespace {

std::string FormatPromise(uint64_t bytes) { return bytes == 0 ? "-" : FormatSize(bytes); }

}  // namespace

std::string RenderTenants(const admin::v1::Status& status, const admin::v1::ListTenantsResponse& tenants) {
  const std::string headline = absl::StrCat(Headline(status), "\n\n");
  if (tenants.tenants().empty()) return absl::StrCat(headline, "No tenants.\n");
  Table table({{"TENANT", Table::Align::kLeft},
               {"CLASS", Table::Align::kLeft},
               {"WEIGHT"},
               {"GRANTED"},
               {"SHARE"},
               {"WANTED"},
               {"RESERVED"},
               {"GUARANTEE"},
               {"LIMIT"},
               {"SESSIONS"}});
  bool turn = false;
  for (const admin::v1::Tenant& tenant : tenants.tenants()) {
    const admin::v1::TenantPolicy& policy = tenant.policy();
    turn = turn || tenant.has_turn();
    table.AddRow({absl::StrCat(tenant.name(), tenant.has_turn() ? "*" : ""), ClassName(policy.tenant_class()),
                  absl::StrCat(policy.weight()), FormatSize(tenant.granted()), FormatSize(tenant.entitled()),
                  FormatSize(tenant.wanted()), FormatPromise(policy.reserved()), FormatPromise(policy.guarantee()),
                  FormatLimit(policy), absl::StrCat(tenant.sessions())});
  }
  return absl::StrCat(headline, table.ToString(),
                      turn ? "\n* has the turn: of those that starve it is served next\n" : "");
}

Command::Text TenantsCommand::text() const {
  return {.name = "tenants",
          .what = "List the tenants: their policies, and what each is granted and wants",
          .examples =
              "  kvctl tenants\n"
              "  kvctl tenants --json | jq -r '.tenants[] | select(.policy.unlimited) | .name'\n"
              "SHARE is what the tenant may have as things are, WANTED what it could use, what it holds included.\n"
              "RESERVED is never lent to others; GUARANTEE is lent while it is not used. More of one tenant, and\n"
              "how to change its policy: kvctl tenant.\n"};
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
