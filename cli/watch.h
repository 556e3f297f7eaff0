#ifndef KVBROKER_CLI_WATCH_H_
#define KVBROKER_CLI_WATCH_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/command.h"

namespace kvbroker::cli {

// Reads "500ms", "2s" or "0.5" (seconds), from 50 ms to an hour. INVALID_ARGUMENT names the text.
absl::StatusOr<absl::Duration> ParseInterval(absl::string_view text);

// kvctl watch
class WatchCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Check() override;
  absl::Status Run(const Context& context) override;

 private:
  std::string interval_text_ = "500ms";
  std::string count_text_;
  absl::Duration interval_;
  uint64_t count_ = 0;  // 0: no end
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_WATCH_H_
