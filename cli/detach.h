#ifndef KVBROKER_CLI_DETACH_H_
#define KVBROKER_CLI_DETACH_H_

#include "cli/command.h"

namespace kvbroker::cli {

// kvctl detach
class DetachCommand : public Command {
 public:
  Text text() const override;
  void Declare(CLI::App& app) override;
  absl::Status Run(const Context& context) override;

 private:
  bool wait_ = false;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_DETACH_H_
