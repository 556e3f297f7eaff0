#include "common/base/limit_setting.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace kvbroker {

std::optional<Bytes> LimitSetting::Resolve(Bytes capacity) const {
  if (!percent.has_value()) return bytes;
  return Bytes(static_cast<uint64_t>(static_cast<double>(capacity.in_bytes()) * (*percent / 100)));
}

absl::StatusOr<LimitSetting> ParseLimit(absl::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  if (rest == "none") return LimitSetting{};
  if (absl::ConsumeSuffix(&rest, "%")) {
    double percent;
    if (rest.empty() || rest[0] == '-' || !absl::SimpleAtod(rest, &percent) || !(percent >= 0 && percent <= 100)) {
      return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no percentage from 0% to 100%"));
    }
    return LimitSetting{.percent = percent};
  }
  const absl::StatusOr<Bytes> bytes = ParseBytes(rest);
  if (!bytes.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is no limit: write a size like 40GiB or 512MiB, a percentage like 50%, or none"));
  }
  return LimitSetting{.bytes = *bytes};
}

}  // namespace kvbroker
