#ifndef KVBROKER_CLI_DUMP_H_
#define KVBROKER_CLI_DUMP_H_

#include "cli/command.h"

namespace kvbroker::cli {

// kvctl dump
class DumpCommand : public Command {
 public:
  Text text() const override;
  absl::Status Run(const Context& context) override;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_DUMP_H_
