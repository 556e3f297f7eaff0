#include "cli/policy_options.h"

#include <CLI/CLI.hpp>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/amount.h"
#include "cli/policy_text.h"
#include "common/base/policy_bounds.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

absl::Status Wrong(absl::string_view option, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(option, ": ", status.message()));
}

absl::Status Wrong(absl::string_view option, absl::string_view value, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(option, ": '", value, "' ", what));
}

}  // namespace

void PolicyOptions::Declare(CLI::App& app) {
  constexpr char kPolicy[] = "Policy";
  const auto add = [&](const char* name, std::optional<std::string>& value, const char* what, const char* type) {
    app.add_option(name, value, what)->type_name(type)->group(kPolicy);
  };
  add("--limit", limit_, "Never exceeded: a size, a percentage, none or initial", "AMOUNT");
  add("--reserved", reserved_, "Never lent to others: a size, a percentage, none or initial", "AMOUNT");
  add("--guarantee", guarantee_, "Lent while it is not used, and back within the deadline: as --reserved", "AMOUNT");
  add("--deadline", deadline_, "How soon the guarantee is back, as 250ms or 1s", "TIME");
  add("--weight", weight_, "Of its share where several want more than there is, 1 to 10000", "N");
  add("--class", tenant_class_, "Who is served first: interactive before batch before best_effort",
      "interactive|batch|best_effort");
  add("--on-missed-target", missed_target_,
      "A session that does not give back in time: it does not grow, or is ended too", "no_growth|end_process");
}

bool PolicyOptions::given() const {
  for (const auto* option : {&limit_, &reserved_, &guarantee_, &deadline_, &weight_, &tenant_class_, &missed_target_}) {
    if (option->has_value()) return true;
  }
  return false;
}

absl::StatusOr<admin::v1::SetTenantRequest> PolicyOptions::Parse() const {
  admin::v1::SetTenantRequest request;
  struct AmountOption {
    const char* name;
    const std::optional<std::string>& value;
    admin::v1::Amount* (admin::v1::SetTenantRequest::*field)();
  };
  for (const AmountOption& option :
       {AmountOption{"--limit", limit_, &admin::v1::SetTenantRequest::mutable_limit},
        AmountOption{"--reserved", reserved_, &admin::v1::SetTenantRequest::mutable_reserved},
        AmountOption{"--guarantee", guarantee_, &admin::v1::SetTenantRequest::mutable_guarantee}}) {
    if (!option.value.has_value()) continue;
    const absl::StatusOr<admin::v1::Amount> amount = ParseAmount(*option.value);
    if (!amount.ok()) return Wrong(option.name, amount.status());
    *(request.*option.field)() = *amount;
  }
  if (deadline_.has_value()) {
    const absl::StatusOr<absl::Duration> deadline = ParseTime(*deadline_, kShortestDeadline, kLongestDeadline);
    if (!deadline.ok()) return Wrong("--deadline", deadline.status());
    request.set_guarantee_deadline_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(*deadline)));
  }
  if (weight_.has_value()) {
    uint32_t weight = 0;
    if (!absl::SimpleAtoi(*weight_, &weight) || weight < 1 || weight > kMostWeight) {
      return Wrong("--weight", *weight_, absl::StrCat("is no weight: 1 to ", kMostWeight));
    }
    request.set_weight(weight);
  }
  if (tenant_class_.has_value()) {
    const auto tenant_class = ClassNamed(*tenant_class_);
    if (!tenant_class.has_value()) {
      return Wrong("--class", *tenant_class_, "is no class: interactive, batch or best_effort");
    }
    request.set_tenant_class(*tenant_class);
  }
  if (missed_target_.has_value()) {
    const auto missed_target = MissedTargetNamed(*missed_target_);
    if (!missed_target.has_value()) {
      return Wrong("--on-missed-target", *missed_target_, "is neither no_growth nor end_process");
    }
    request.set_missed_target(*missed_target);
  }
  return request;
}

}  // namespace kvbroker::cli
