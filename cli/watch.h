#ifndef KVBROKER_CLI_WATCH_H_
#define KVBROKER_CLI_WATCH_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "cli/command.h"

namespace kvbroker::cli {

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
