#ifndef KVBROKER_COMMON_BASE_LIMIT_SETTING_H_
#define KVBROKER_COMMON_BASE_LIMIT_SETTING_H_

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/bytes.h"

namespace kvbroker {

// A tenant's limit as it is written: a size, a part of the capacity, or (neither) none.
struct LimitSetting {
  std::optional<Bytes> bytes;
  std::optional<double> percent;  // 0 to 100

  // What it comes to where the capacity is `capacity`; none: no limit.
  std::optional<Bytes> Resolve(Bytes capacity) const;
};

// Reads "40GiB", "25%" or "none". INVALID_ARGUMENT names the text.
absl::StatusOr<LimitSetting> ParseLimit(absl::string_view text);

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_BASE_LIMIT_SETTING_H_
