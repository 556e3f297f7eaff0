#ifndef KVBROKER_BROKER_CONFIG_TENANT_SETTING_H_
#define KVBROKER_BROKER_CONFIG_TENANT_SETTING_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/core/tenant_access.h"
#include "broker/policy/tenant_policy.h"
#include "common/base/bytes.h"
#include "common/base/limit_setting.h"

namespace kvbroker {

// A tenant's policy as it is written: sizes may be parts of the capacity, and what is not written has TenantPolicy's
// default.
struct TenantSetting {
  std::optional<LimitSetting> limit;
  std::optional<LimitSetting> reserved;   // its "none" is nothing
  std::optional<LimitSetting> guarantee;  // its "none" is nothing
  std::optional<absl::Duration> guarantee_deadline;
  std::optional<uint32_t> weight;
  std::optional<TenantClass> tenant_class;
  std::optional<MissedTarget> missed_target;
  TenantAccess access;

  // Takes from `other` what is not set here.
  void FillFrom(const TenantSetting& other);

  // What it comes to where the capacity is `capacity`. Not checked: see CheckTenantPolicy.
  TenantPolicy Resolve(Bytes capacity) const;
};

// Reads "40GiB", "25%" or "none". INVALID_ARGUMENT names the text.
absl::StatusOr<LimitSetting> ParseAmount(absl::string_view text);

// "no_growth", "end_process".
absl::string_view MissedTargetName(MissedTarget missed_target);
std::optional<MissedTarget> ParseMissedTarget(absl::string_view text);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CONFIG_TENANT_SETTING_H_
