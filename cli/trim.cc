// Has a tenant give back what it holds beyond a size, once.
//
//   $ kvctl trim chat --to 2GiB
//   chat: 8.0 GiB -> 2.0 GiB in 38 ms
//   $ kvctl trim batch --to 0 --within 1s
//   kvctl: tenant batch holds 512 MiB after 1s, not 0 B (it held 4.5 GiB)

#include "cli/trim.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/amount.h"
#include "cli/connect.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/policy_text.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

constexpr absl::Duration kShortest = absl::Milliseconds(1);
constexpr absl::Duration kLongest = absl::Minutes(10);  // the broker's bound

}  // namespace

std::string RenderTrim(absl::string_view tenant, const admin::v1::TrimResponse& response) {
  if (response.before() <= response.after()) {
    return absl::StrCat(tenant, ": holds ", FormatSize(response.after()), ", which is no more than that\n");
  }
  return absl::StrCat(tenant, ": ", FormatSize(response.before()), " -> ", FormatSize(response.after()), " in ",
                      FormatDeadline(response.took_ms()), "\n");
}

Command::Text TrimCommand::text() const {
  return {
      .name = "trim",
      .what = "Have a tenant give back what it holds beyond a size, once",
      .examples = absl::StrCat(
          "  kvctl trim chat --to 2GiB\n"
          "  kvctl trim batch --to 0 --within 1s\n"
          "It answers when the memory is back, or the time is over. From then on the tenant grows\n"
          "again as it needs to: to keep it down, kvctl limit. What is in use is given back too where\n"
          "it must be (requests are put off), and never less than what is reserved for the tenant. It is asked as for\n"
          "a limit: a session that does not give back within a second has missed a target.\n",
          kSizesHelp)};
}

void TrimCommand::Declare(CLI::App& app) {
  app.add_option("TENANT", tenant_, "Who gives back")->required()->type_name("");
  app.add_option("--to", to_, "What it may hold: a size (2GiB) or a percentage (10%)")->required()->type_name("SIZE");
  app.add_option("--within", within_, "How long to wait for it at the most; default 10s")->type_name("TIME");
}

absl::Status TrimCommand::Check() {
  if (tenant_.empty()) return absl::InvalidArgumentError("'' is no name of a tenant");
  const absl::StatusOr<admin::v1::Amount> to = ParseAmount(to_);
  if (!to.ok()) return absl::InvalidArgumentError(absl::StrCat("--to: ", to.status().message()));
  if (!to->has_bytes() && !to->has_percent()) {
    return absl::InvalidArgumentError(absl::StrCat("--to: '", to_, "' is neither a size nor a percentage"));
  }
  const absl::StatusOr<absl::Duration> within = ParseTime(within_, kShortest, kLongest);
  if (!within.ok()) return absl::InvalidArgumentError(absl::StrCat("--within: ", within.status().message()));
  request_.set_tenant(tenant_);
  *request_.mutable_to() = *to;
  request_.set_within_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(*within)));
  return absl::OkStatus();
}

absl::Status TrimCommand::Run(const Context& context) {
  const absl::Duration patience = absl::Milliseconds(request_.within_ms()) + absl::Seconds(5);
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where, patience));
  KVB_ASSIGN_OR_RETURN(const admin::v1::TrimResponse response, broker.Ask(&admin::v1::Admin::Stub::Trim, request_));
  context.console.out << (context.output == Output::kJson ? ToJson(response) : RenderTrim(tenant_, response));
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
