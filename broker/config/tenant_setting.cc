#include "broker/config/tenant_setting.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace kvbroker {
namespace {

template <typename T>
void Default(std::optional<T>& value, const std::optional<T>& other) {
  if (!value.has_value()) value = other;
}

Bytes AmountOf(const std::optional<LimitSetting>& setting, Bytes capacity) {
  return setting.value_or(LimitSetting()).Resolve(capacity).value_or(Bytes());
}

}  // namespace

void TenantSetting::FillFrom(const TenantSetting& other) {
  Default(limit, other.limit);
  Default(reserved, other.reserved);
  Default(guarantee, other.guarantee);
  Default(guarantee_deadline, other.guarantee_deadline);
  Default(weight, other.weight);
  Default(tenant_class, other.tenant_class);
  Default(missed_target, other.missed_target);
  if (access.open()) access = other.access;
}

TenantPolicy TenantSetting::Resolve(Bytes capacity) const {
  const TenantPolicy standard;
  return {.reserved = AmountOf(reserved, capacity),
          .guarantee = AmountOf(guarantee, capacity),
          .guarantee_deadline = guarantee_deadline.value_or(standard.guarantee_deadline),
          .limit = limit.value_or(LimitSetting()).Resolve(capacity),
          .weight = weight.value_or(standard.weight),
          .tenant_class = tenant_class.value_or(standard.tenant_class),
          .missed_target = missed_target.value_or(standard.missed_target)};
}

absl::StatusOr<LimitSetting> ParseAmount(absl::string_view text) {
  absl::StatusOr<LimitSetting> amount = ParseLimit(text);
  if (amount.ok() || absl::StrContains(text, '%')) return amount;
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no amount: write a size like 40GiB or 512MiB, a percentage like 50%, or none"));
}

absl::string_view MissedTargetName(MissedTarget missed_target) {
  return missed_target == MissedTarget::kEndProcess ? "end_process" : "no_growth";
}

std::optional<MissedTarget> ParseMissedTarget(absl::string_view text) {
  for (const MissedTarget one : {MissedTarget::kNoGrowth, MissedTarget::kEndProcess}) {
    if (text == MissedTargetName(one)) return one;
  }
  return std::nullopt;
}

}  // namespace kvbroker
