#include "broker/policy/tenant_policy.h"

#include "absl/strings/str_cat.h"
#include "common/base/policy_bounds.h"

namespace kvbroker {
absl::Status CheckTenantPolicy(const TenantPolicy& policy) {
  if (policy.limit.has_value() && policy.assured() > *policy.limit) {
    return absl::InvalidArgumentError(absl::StrCat(policy.reserved > policy.guarantee ? "reserved " : "a guarantee of ",
                                                   ToString(policy.assured()), " is more than the limit, ",
                                                   ToString(*policy.limit)));
  }
  if (policy.weight < 1 || policy.weight > kMostWeight) {
    return absl::InvalidArgumentError(absl::StrCat("a weight of ", policy.weight, "; 1 to ", kMostWeight, " may be"));
  }
  if (policy.guarantee_deadline < kShortestDeadline || policy.guarantee_deadline > kLongestDeadline) {
    return absl::InvalidArgumentError(
        absl::StrCat("a deadline of ", absl::FormatDuration(policy.guarantee_deadline), "; 10 ms to 1 h may be"));
  }
  return absl::OkStatus();
}

absl::string_view ToString(TenantClass tenant_class) {
  switch (tenant_class) {
    case TenantClass::kBestEffort:
      return "best_effort";
    case TenantClass::kBatch:
      return "batch";
    case TenantClass::kInteractive:
      return "interactive";
  }
  return "unknown";
}

std::optional<TenantClass> ParseTenantClass(absl::string_view text) {
  for (const TenantClass one : {TenantClass::kBestEffort, TenantClass::kBatch, TenantClass::kInteractive}) {
    if (text == ToString(one)) return one;
  }
  return std::nullopt;
}

}  // namespace kvbroker
