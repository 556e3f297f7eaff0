#ifndef KVBROKER_COMMON_BASE_LOG_H_
#define KVBROKER_COMMON_BASE_LOG_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace kvbroker {

enum class LogLevel { kInfo, kWarning, kError };

// Writes one line to stderr: time, level, message. Under systemd (JOURNAL_STREAM is set) the time
// is left out and the level is written as journald reads it. Thread-safe; a line is written whole.
void Log(LogLevel level, absl::string_view message);

template <typename... Parts>
void LogInfo(const Parts&... parts) {
  Log(LogLevel::kInfo, absl::StrCat(parts...));
}
template <typename... Parts>
void LogWarning(const Parts&... parts) {
  Log(LogLevel::kWarning, absl::StrCat(parts...));
}
template <typename... Parts>
void LogError(const Parts&... parts) {
  Log(LogLevel::kError, absl::StrCat(parts...));
}

// `text` between single quotes, control characters escaped and cut at 200 characters: what a client
// or a file sent may stand in a line of the log, but may not forge one.
std::string Quoted(absl::string_view text);

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_BASE_LOG_H_
