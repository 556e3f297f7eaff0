#ifndef KVBROKER_CLI_VERSION_H_
#define KVBROKER_CLI_VERSION_H_

#include "cli/command.h"

namespace kvbroker::cli {

// kvctl version
class VersionCommand : public Command {
 public:
  Text text() const override;
  absl::Status Run(const Context& context) override;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_VERSION_H_
