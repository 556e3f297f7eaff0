#ifndef KVBROKER_CLI_STATUS_H_
#define KVBROKER_CLI_STATUS_H_

#include <string>

#include "cli/command.h"
#include "cli/format.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// How the device's memory is divided, with a bar of what is granted, and the rooms that are waited for or held back.
std::string RenderStatus(const admin::v1::Status& status, const admin::v1::ListRoomsResponse& rooms, Colour colour);

// kvctl status
class StatusCommand : public Command {
 public:
  Text text() const override;
  absl::Status Run(const Context& context) override;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_STATUS_H_
