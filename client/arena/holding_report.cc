#include "client/arena/holding_report.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/status.h"

namespace kvbroker {

absl::Status CheckHoldingReport(const HoldingReport& report, Bytes bound) {
  Bytes left = bound;
  const auto take = [&](absl::string_view name, Bytes bytes) -> absl::Status {
    if (bytes > left) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, " is ", bytes.in_bytes(), " bytes: with those before it more than the arena's ", bound.in_bytes()));
    }
    left -= bytes;
    return absl::OkStatus();
  };
  KVB_RETURN_IF_ERROR(take("free", report.free));
  for (size_t age = 0; age < HoldingReport::kAgeClasses; ++age) {
    KVB_RETURN_IF_ERROR(take(absl::StrCat("cached_by_age[", age, "]"), report.cached_by_age[age]));
  }
  KVB_RETURN_IF_ERROR(take("compactable", report.compactable));
  KVB_RETURN_IF_ERROR(take("preemptible", report.preemptible));
  KVB_RETURN_IF_ERROR(take("pinned", report.pinned));
  if (report.response < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("response is ", absl::FormatDuration(report.response)));
  }
  return absl::OkStatus();
}

}  // namespace kvbroker
