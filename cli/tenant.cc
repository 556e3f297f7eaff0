// A tenant's policy: shows it, and changes it.
//
//   $ kvctl tenant chat --guarantee 4GiB --deadline 250ms
//   chat: limit 10.0 GiB, guarantee 4.0 GiB within 250 ms, weight 100, interactive, no_growth (revision 8)
//   $ kvctl tenant chat
//   HOST-demo (host memory, 24 GiB): capacity 20.0 GiB
//
//   chat: interactive, weight 100
//
//     granted      8.0 GiB  to 2 sessions; 10.0 GiB at the most so far
//   …

#include "cli/tenant.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/amount.h"
#include "cli/format.h"
#include "cli/headline.h"
#include "cli/json.h"
#include "cli/limit.h"
#include "cli/policy_text.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

std::string Heading(const admin::v1::Tenant& tenant) {
  return absl::StrCat(tenant.name(), ": ", ClassName(tenant.policy().tenant_class()), ", weight ",
                      tenant.policy().weight(), tenant.has_turn() ? ", has the turn: it is served next" : "", "\n");
}

std::string Figures(const admin::v1::Tenant& tenant) {
  const admin::v1::TenantPolicy& policy = tenant.policy();
  return absl::StrCat(
      FigureRow("granted", FormatSize(tenant.granted()),
                absl::StrCat("to ", Count(tenant.sessions(), "session"), "; ", FormatSize(tenant.peak()),
                             " at the most so far")),
      FigureRow("wanted", FormatSize(tenant.wanted()), "what it could use, what it holds included"),
      FigureRow("share", FormatSize(tenant.entitled()), "what it may have as things are"),
      FigureRow("limit", FormatLimit(policy), "never exceeded"),
      FigureRow("reserved", FormatSize(policy.reserved()), "never lent to others"),
      FigureRow(
          "guarantee", FormatSize(policy.guarantee()),
          absl::StrCat("lent while it is not used, and back within ", FormatDeadline(policy.guarantee_deadline_ms()))),
      tenant.external() == 0
          ? ""
          : FigureRow("outside", FormatSize(tenant.external()),
                      tenant.trimmable() == 0 ? "weights and the like"
                                              : absl::StrCat("weights and the like; ", FormatSize(tenant.trimmable()),
                                                             " of it only kept, and to be had")),
      tenant.floor() == 0 ? ""
                          : FigureRow("floor", FormatSize(tenant.floor()), "what one of its longest requests needs"));
}

std::string Times(uint64_t n) { return n == 1 ? "once" : absl::StrCat(n, " times"); }

std::string History(const admin::v1::Tenant& tenant) {
  std::string text = absl::StrCat("  waited ", FormatDuration(tenant.waited_ms()), " for what its limit allows");
  if (tenant.starved_ms() > 0) {
    absl::StrAppend(&text, ", ", FormatDuration(tenant.starved_ms()),
                    " of it with less than one of its longest requests needs");
  }
  absl::StrAppend(&text, "\n");
  if (tenant.guarantee_waits() > 0) {
    absl::StrAppend(&text, "  waited for its guarantee ", Times(tenant.guarantee_waits()), ", ",
                    FormatDeadline(tenant.guarantee_wait_ms() / tenant.guarantee_waits()),
                    " on average, and longer than the deadline ",
                    tenant.guarantee_misses() == 0 ? "never" : Times(tenant.guarantee_misses()), "\n");
  }
  absl::StrAppend(&text, "  gave back ", FormatSize(tenant.reclaimed()), " because it was asked to; missed ",
                  Count(tenant.missed_targets(), "deadline"),
                  " (a session that does: ", MissedTargetName(tenant.policy().missed_target()), ")\n");
  return text;
}

std::string Origin(const admin::v1::Status& status, const admin::v1::Tenant& tenant) {
  const std::string configured = FormatPolicy(tenant.configured());
  const std::string changed = configured == FormatPolicy(tenant.policy())
                                  ? ""
                                  : absl::StrCat("  the broker was started with: ", configured, "\n");
  return absl::StrCat(changed, "  policy revision ", status.memory().policy_revision(), "\n");
}

}  // namespace

absl::StatusOr<admin::v1::Tenant> FindTenant(const admin::v1::ListTenantsResponse& tenants, absl::string_view name) {
  for (const admin::v1::Tenant& tenant : tenants.tenants()) {
    if (tenant.name() == name) return tenant;
  }
  const std::string known = absl::StrJoin(
      tenants.tenants(), ", ", [](std::string* out, const admin::v1::Tenant& tenant) { out->append(tenant.name()); });
  return absl::NotFoundError(
      absl::StrCat("no tenant '", name, "'; there are", known.empty() ? " none" : absl::StrCat(": ", known)));
}

std::string RenderTenant(const admin::v1::Status& status, const admin::v1::Tenant& tenant) {
  return absl::StrCat(Headline(status), "\n\n", Heading(tenant), "\n", Figures(tenant), "\n", History(tenant),
                      Origin(status, tenant));
}

std::string RenderChange(absl::string_view tenant, const admin::v1::SetTenantResponse& response) {
  return absl::StrCat(tenant, ": ", FormatPolicy(response.policy()), " (revision ", response.revision(), ")",
                      FormatOver(response), "\n");
}

std::string RenderDeletion(absl::string_view tenant, const admin::v1::DeleteTenantResponse& response) {
  return absl::StrCat(
      tenant, ": ",
      response.configured() ? absl::StrCat("as configured again: ", FormatPolicy(response.policy())) : "known no more",
      " (revision ", response.revision(), ")\n");
}

Command::Text TenantCommand::text() const {
  return {.name = "tenant",
          .what = "Show a tenant's policy and figures, or change its policy at once",
          .examples = absl::StrCat("  kvctl tenant chat\n"
                                   "  kvctl tenant chat --guarantee 20GiB --deadline 250ms\n"
                                   "  kvctl tenant batch --class batch --weight 50 --limit 40%\n"
                                   "  kvctl tenant night --class best_effort --create\n"
                                   "  kvctl tenant chat --weight 200 --if-revision 7   only if nobody was faster\n"
                                   "  kvctl tenant night --delete\n"
                                   "What is not given stays as it is. A change is kept over a restart of the broker;\n"
                                   "'initial' goes back to what the broker was started with. Try a change without\n"
                                   "making it: kvctl simulate. Percentages are of the configured capacity, else of\n"
                                   "the device.\n",
                                   kSizesHelp)};
}

void TenantCommand::Declare(CLI::App& app) {
  app.add_option("TENANT", tenant_, "Whose policy")->required()->type_name("");
  policy_.Declare(app);
  app.add_flag("--force", force_, "Even a limit below what the tenant's longest request needs");
  app.add_flag("--create", create_, "Make the tenant known if it is not");
  app.add_flag("--delete", delete_, "Forget what kvctl set: it is as configured, or known no more");
  app.add_option("--if-revision", if_revision_, "Only while the policy has this revision")->type_name("N");
}

absl::Status TenantCommand::Check() {
  if (tenant_.empty()) return absl::InvalidArgumentError("'' is no name of a tenant");
  uint64_t revision = 0;
  if (if_revision_.has_value() && (!absl::SimpleAtoi(*if_revision_, &revision) || revision == 0)) {
    return absl::InvalidArgumentError(absl::StrCat("--if-revision: '", *if_revision_, "' is no revision, 1 or more"));
  }
  KVB_ASSIGN_OR_RETURN(admin::v1::SetTenantRequest request, policy_.Parse());
  if (delete_) {
    if (policy_.given() || create_ || force_) {
      return absl::InvalidArgumentError(
          "--delete forgets all that was set: nothing else goes with it but --if-revision");
    }
    deletion_.emplace();
    deletion_->set_tenant(tenant_);
    deletion_->set_if_revision(revision);
    return absl::OkStatus();
  }
  if (!policy_.given() && !create_) {
    if (!force_ && !if_revision_.has_value()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(force_ ? "--force" : "--if-revision", " says how to change the policy, and no change is given"));
  }
  request.set_tenant(tenant_);
  request.set_force(force_);
  request.set_create(create_);
  request.set_if_revision(revision);
  change_ = std::move(request);
  return absl::OkStatus();
}

absl::Status TenantCommand::Show(const Context& context, const Connection& broker) const {
  KVB_ASSIGN_OR_RETURN(const admin::v1::ListTenantsResponse tenants,
                       broker.Ask(&admin::v1::Admin::Stub::ListTenants, admin::v1::ListTenantsRequest()));
  KVB_ASSIGN_OR_RETURN(const admin::v1::Tenant tenant, FindTenant(tenants, tenant_));
  if (context.output == Output::kJson) {
    context.console.out << ToJson(tenant);
    return absl::OkStatus();
  }
  KVB_ASSIGN_OR_RETURN(const admin::v1::Status status,
                       broker.Ask(&admin::v1::Admin::Stub::GetStatus, admin::v1::GetStatusRequest()));
  context.console.out << RenderTenant(status, tenant);
  return absl::OkStatus();
}

absl::Status TenantCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  if (deletion_.has_value()) {
    KVB_ASSIGN_OR_RETURN(const admin::v1::DeleteTenantResponse deleted,
                         broker.Ask(&admin::v1::Admin::Stub::DeleteTenant, *deletion_));
    context.console.out << (context.output == Output::kJson ? ToJson(deleted) : RenderDeletion(tenant_, deleted));
    return absl::OkStatus();
  }
  if (!change_.has_value()) return Show(context, broker);
  KVB_ASSIGN_OR_RETURN(const admin::v1::SetTenantResponse response,
                       broker.Ask(&admin::v1::Admin::Stub::SetTenant, *change_));
  context.console.out << (context.output == Output::kJson ? ToJson(response) : RenderChange(tenant_, response));
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
