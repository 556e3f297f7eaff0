// What the policy would decide, without deciding it.
//
//   $ kvctl simulate chat --want 14GiB
//   If chat wanted 14.0 GiB (nothing is changed):
//
//   TENANT     HELD    WANTED                SHARE  AT ONCE  ASKED BACK  BECAUSE
//   batch   4.5 GiB   4.5 GiB   4.5 GiB -> 3.5 GiB      0 B     1.0 GiB  its fair share of weight 50
//   chat    8.0 GiB  14.0 GiB  9.0 GiB -> 10.0 GiB  1.0 GiB         0 B  its limit

#include "cli/simulate.h"

#include <CLI/CLI.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/amount.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/policy_text.h"
#include "common/base/bytes.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

std::string FormatAmount(const admin::v1::Amount& amount) {
  if (amount.has_percent()) return absl::StrCat(amount.percent(), " %");
  if (amount.none()) return "none";
  if (amount.initial()) return "as the broker was started";
  return FormatSize(amount.bytes());
}

// "If chat wanted 14.0 GiB, with weight 200, limit 50 %".
std::string Question(const admin::v1::SimulateRequest& request) {
  const admin::v1::SetTenantRequest& change = request.change();
  std::vector<std::string> with;
  if (change.has_limit()) with.push_back(absl::StrCat("limit ", FormatAmount(change.limit())));
  if (change.has_reserved()) with.push_back(absl::StrCat("reserved ", FormatAmount(change.reserved())));
  if (change.has_guarantee()) with.push_back(absl::StrCat("guarantee ", FormatAmount(change.guarantee())));
  if (change.has_guarantee_deadline_ms()) {
    with.push_back(absl::StrCat("deadline ", FormatDeadline(change.guarantee_deadline_ms())));
  }
  if (change.has_weight()) with.push_back(absl::StrCat("weight ", change.weight()));
  if (change.has_tenant_class()) with.push_back(absl::StrCat("class ", ClassName(change.tenant_class())));
  if (change.has_missed_target()) with.push_back(MissedTargetName(change.missed_target()));

  std::string text = "As things are";
  if (request.has_want()) {
    text = absl::StrCat("If ", change.tenant(), " wanted ", FormatSize(request.want()), with.empty() ? "" : " with ");
  } else if (!with.empty()) {
    text = absl::StrCat("If ", change.tenant(), " had ");
  }
  return absl::StrCat(text, absl::StrJoin(with, ", "));
}

std::string FormatShare(const admin::v1::SimulateResponse::Row& row) {
  const std::string after = FormatSize(row.entitled_after());
  if (row.entitled_before() == row.entitled_after()) return after;
  return absl::StrCat(FormatSize(row.entitled_before()), " -> ", after);
}

}  // namespace

std::string RenderSimulation(const admin::v1::SimulateRequest& request, const admin::v1::SimulateResponse& response) {
  Table table({{"TENANT", Table::Align::kLeft},
               {"HELD"},
               {"WANTED"},
               {"SHARE"},
               {"AT ONCE"},
               {"ASKED BACK"},
               {"BECAUSE", Table::Align::kLeft}});
  for (const admin::v1::SimulateResponse::Row& row : response.rows()) {
    table.AddRow({row.tenant(), FormatSize(row.held()), FormatSize(row.wanted()), FormatShare(row),
                  FormatSize(row.granted()), FormatSize(row.asked_back()), row.because()});
  }
  const std::string at_risk = response.guarantee_at_risk() == 0
                                  ? ""
                                  : absl::StrCat("\n", FormatSize(response.guarantee_at_risk()),
                                                 " of guarantees could not be had back in time then.\n");
  return absl::StrCat(Question(request), " (nothing is changed):\n\n", table.ToString(), at_risk);
}

Command::Text SimulateCommand::text() const {
  return {.name = "simulate",
          .what = "Show what would be decided if a tenant wanted more or had another policy",
          .examples =
              "  kvctl simulate chat --want 30GiB\n"
              "  kvctl simulate batch --limit 10GiB\n"
              "  kvctl simulate chat --want 30GiB --class batch --weight 50\n"
              "Changes nothing. HELD and WANTED (within the limit) are what each tenant has and could use then,\n"
              "SHARE what it may have now -> then, AT ONCE what it would be granted without waiting, ASKED BACK what\n"
              "it would have to give up, BECAUSE the rule that bounds it. To make the change: kvctl tenant.\n"};
}

void SimulateCommand::Declare(CLI::App& app) {
  app.add_option("TENANT", tenant_, "Whose want or policy is another one")->required()->type_name("");
  app.add_option("--want", want_, "What it would want in all, as 30GiB")->type_name("SIZE");
  policy_.Declare(app);
}

absl::Status SimulateCommand::Check() {
  if (tenant_.empty()) return absl::InvalidArgumentError("'' is no name of a tenant");
  KVB_ASSIGN_OR_RETURN(*request_.mutable_change(), policy_.Parse());
  request_.mutable_change()->set_tenant(tenant_);
  if (want_.has_value()) {
    const absl::StatusOr<Bytes> want = ParseBytes(*want_);
    if (!want.ok()) return absl::InvalidArgumentError(absl::StrCat("--want: ", want.status().message()));
    request_.set_want(want->in_bytes());
  }
  return absl::OkStatus();
}

absl::Status SimulateCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  KVB_ASSIGN_OR_RETURN(const admin::v1::SimulateResponse response,
                       broker.Ask(&admin::v1::Admin::Stub::Simulate, request_));
  context.console.out << (context.output == Output::kJson ? ToJson(response) : RenderSimulation(request_, response));
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
