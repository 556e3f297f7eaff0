#include "cli/policy_text.h"

#include "absl/strings/str_cat.h"
#include "cli/format.h"

namespace kvbroker::cli {

std::string FormatLimit(const admin::v1::TenantPolicy& policy) {
  return policy.unlimited() ? "none" : FormatSize(policy.limit());
}

std::string ClassName(admin::v1::TenantClass tenant_class) {
  switch (tenant_class) {
    case admin::v1::BEST_EFFORT:
      return "best_effort";
    case admin::v1::BATCH:
      return "batch";
    case admin::v1::INTERACTIVE:
      return "interactive";
    default:
      return "unknown";
  }
}

std::optional<admin::v1::TenantClass> ClassNamed(absl::string_view name) {
  for (const auto one : {admin::v1::BEST_EFFORT, admin::v1::BATCH, admin::v1::INTERACTIVE}) {
    if (name == ClassName(one)) return one;
  }
  return std::nullopt;
}

std::string MissedTargetName(admin::v1::MissedTarget missed_target) {
  switch (missed_target) {
    case admin::v1::NO_GROWTH:
      return "no_growth";
    case admin::v1::END_PROCESS:
      return "end_process";
    default:
      return "unknown";
  }
}

std::optional<admin::v1::MissedTarget> MissedTargetNamed(absl::string_view name) {
  for (const auto one : {admin::v1::NO_GROWTH, admin::v1::END_PROCESS}) {
    if (name == MissedTargetName(one)) return one;
  }
  return std::nullopt;
}

std::string FormatDeadline(uint64_t milliseconds) {
  return milliseconds < 1000 ? absl::StrCat(milliseconds, " ms") : FormatDuration(milliseconds);
}

std::string FormatPolicy(const admin::v1::TenantPolicy& policy) {
  std::string text = policy.unlimited() ? "no limit" : absl::StrCat("limit ", FormatSize(policy.limit()));
  if (policy.reserved() > 0) absl::StrAppend(&text, ", reserved ", FormatSize(policy.reserved()));
  if (policy.guarantee() > 0) {
    absl::StrAppend(&text, ", guarantee ", FormatSize(policy.guarantee()), " within ",
                    FormatDeadline(policy.guarantee_deadline_ms()));
  }
  return absl::StrCat(text, ", weight ", policy.weight(), ", ", ClassName(policy.tenant_class()), ", ",
                      MissedTargetName(policy.missed_target()));
}

}  // namespace kvbroker::cli
