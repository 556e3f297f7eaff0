#include "common/base/log.h"

#include <unistd.h>

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace kvbroker {

void Log(LogLevel level, absl::string_view message) {
  static const bool journald = std::getenv("JOURNAL_STREAM") != nullptr;
  static constexpr const char* kPriorities[] = {"<6>", "<4>", "<3>"};
  static constexpr const char* kNames[] = {"", "warning: ", "error: "};
  const auto i = static_cast<size_t>(level);
  const std::string line = journald ? absl::StrCat(kPriorities[i], message, "\n")
                                    : absl::StrCat(absl::FormatTime("%H:%M:%E3S ", absl::Now(), absl::LocalTimeZone()),
                                                   kNames[i], message, "\n");
  // A log that cannot be written is nothing the program could mend.
  [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, line.data(), line.size());
}

std::string Quoted(absl::string_view text) {
  constexpr size_t kMost = 200;
  const bool cut = text.size() > kMost;
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, kMost)), cut ? "…'" : "'");
}

}  // namespace kvbroker
