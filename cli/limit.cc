// Sets what a tenant may have at most.
//
//   $ kvctl limit chat 50%
//   chat: limit 10.0 GiB
//   $ kvctl limit batch 2GiB
//   batch: limit 2.0 GiB; it holds 2.5 GiB more and is asked to give that back

#include "cli/limit.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "cli/format.h"
#include "cli/json.h"
#include "common/base/limit_setting.h"
#include "common/base/status.h"

namespace kvbroker::cli {

absl::StatusOr<admin::v1::SetLimitRequest> ParseLimit(absl::string_view text) {
  KVB_ASSIGN_OR_RETURN(const LimitSetting limit, kvbroker::ParseLimit(text));
  admin::v1::SetLimitRequest request;
  if (limit.bytes.has_value()) {
    request.set_bytes(limit.bytes->in_bytes());
  } else if (limit.percent.has_value()) {
    request.set_percent(*limit.percent);
  } else {
    request.set_none(true);
  }
  return request;
}

std::string RenderLimit(absl::string_view tenant, const admin::v1::SetLimitResponse& response) {
  if (response.unlimited()) return absl::StrCat(tenant, ": no limit\n");
  const std::string over = response.bytes_over() == 0 ? ""
                                                      : absl::StrCat("; it holds ", FormatSize(response.bytes_over()),
                                                                     " more and is asked to give that back");
  return absl::StrCat(tenant, ": limit ", FormatSize(response.limit()), over, "\n");
}

Command::Text LimitCommand::text() const {
  return {.name = "limit",
          .what = "Set what a tenant may have at most, at once",
          .examples =
              "  kvctl limit chat 40GiB\n"
              "  kvctl limit chat 50%       of the configured capacity, else of the device\n"
              "  kvctl limit chat none\n"
              "  kvctl limit chat 0         is a limit: it gets nothing\n"
              "A limit set here is in force until the broker ends. K, M, G, T and KiB .. TiB count in 1024,\n"
              "KB .. TB in 1000; a number alone is in bytes.\n"};
}

void LimitCommand::Declare(CLI::App& app) {
  app.add_option("TENANT", tenant_, "Whose limit")->required()->type_name("");
  app.add_option("LIMIT", limit_, "A size (40GiB), a percentage (50%) or none")->required()->type_name("");
}

absl::Status LimitCommand::Check() {
  if (tenant_.empty()) return absl::InvalidArgumentError("'' is no name of a tenant");
  KVB_ASSIGN_OR_RETURN(request_, ParseLimit(limit_));
  request_.set_tenant(tenant_);
  return absl::OkStatus();
}

absl::Status LimitCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  KVB_ASSIGN_OR_RETURN(const admin::v1::SetLimitResponse response,
                       broker.Ask(&admin::v1::Admin::Stub::SetLimit, request_));
  context.console.out << (context.output == Output::kJson ? ToJson(response) : RenderLimit(tenant_, response));
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
