// Sets what a tenant may have at most.
//
//   $ kvctl limit chat 50%
//   chat: limit 10.0 GiB
//   $ kvctl limit batch 2GiB
//   batch: limit 2.0 GiB; it holds 2.5 GiB more and is asked to give that back

#include "cli/limit.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "cli/amount.h"
#include "cli/format.h"
#include "cli/json.h"
#include "common/base/status.h"

namespace kvbroker::cli {

std::string FormatOver(const admin::v1::SetTenantResponse& response) {
  if (response.bytes_over() == 0) return "";
  return absl::StrCat("; it holds ", FormatSize(response.bytes_over()), " more and is asked to give that back");
}

std::string RenderLimit(absl::string_view tenant, const admin::v1::SetTenantResponse& response) {
  if (response.policy().unlimited()) return absl::StrCat(tenant, ": no limit\n");
  return absl::StrCat(tenant, ": limit ", FormatSize(response.policy().limit()), FormatOver(response), "\n");
}

Command::Text LimitCommand::text() const {
  return {.name = "limit",
          .what = "Set what a tenant may have at most, at once",
          .examples = absl::StrCat("  kvctl limit chat 40GiB\n"
                                   "  kvctl limit chat 50%       of the configured capacity, else of the device\n"
                                   "  kvctl limit chat none\n"
                                   "  kvctl limit chat 0         is a limit: it gets nothing\n"
                                   "  kvctl limit chat initial   what the broker was started with\n"
                                   "It is kept over a restart of the broker. Below what the tenant's longest request\n"
                                   "needs it is refused without --force. The rest of the policy: kvctl tenant.\n",
                                   kSizesHelp)};
}

void LimitCommand::Declare(CLI::App& app) {
  app.add_option("TENANT", tenant_, "Whose limit")->required()->type_name("");
  app.add_option("LIMIT", limit_, "A size (40GiB), a percentage (50%), none or initial")->required()->type_name("");
  app.add_flag("--force", force_, "Even below what the tenant's longest request needs");
  app.add_flag("--create", create_, "Make the tenant known if it is not");
}

absl::Status LimitCommand::Check() {
  if (tenant_.empty()) return absl::InvalidArgumentError("'' is no name of a tenant");
  KVB_ASSIGN_OR_RETURN(*request_.mutable_limit(), ParseAmount(limit_));
  request_.set_tenant(tenant_);
  request_.set_force(force_);
  request_.set_create(create_);
  return absl::OkStatus();
}

absl::Status LimitCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  KVB_ASSIGN_OR_RETURN(const admin::v1::SetTenantResponse response,
                       broker.Ask(&admin::v1::Admin::Stub::SetTenant, request_));
  context.console.out << (context.output == Output::kJson ? ToJson(response) : RenderLimit(tenant_, response));
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
