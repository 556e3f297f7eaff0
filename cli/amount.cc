#include "cli/amount.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/limit_setting.h"

namespace kvbroker::cli {

absl::StatusOr<admin::v1::Amount> ParseAmount(absl::string_view text) {
  admin::v1::Amount amount;
  if (text == "initial") {
    amount.set_initial(true);
    return amount;
  }
  const absl::StatusOr<LimitSetting> setting = ParseLimit(text);
  if (!setting.ok()) {
    if (absl::EndsWith(absl::StripAsciiWhitespace(text), "%")) return setting.status();
    return absl::InvalidArgumentError(absl::StrCat(
        "'", text, "' is no amount: write a size like 40GiB or 512MiB, a percentage like 50%, none or initial"));
  }
  if (setting->bytes.has_value()) {
    amount.set_bytes(setting->bytes->in_bytes());
  } else if (setting->percent.has_value()) {
    amount.set_percent(*setting->percent);
  } else {
    amount.set_none(true);
  }
  return amount;
}

absl::StatusOr<absl::Duration> ParseTime(absl::string_view text, absl::Duration shortest, absl::Duration longest) {
  absl::Duration time;
  double seconds;
  if (absl::SimpleAtod(text, &seconds)) {
    time = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &time)) {
    time = -absl::InfiniteDuration();
  }
  if (time >= shortest && time <= longest) return time;
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no time from ", absl::FormatDuration(shortest),
                                                 " to ", absl::FormatDuration(longest),
                                                 ", like 500ms, 2s or 0.5 (seconds)"));
}

}  // namespace kvbroker::cli
