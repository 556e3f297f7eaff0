#ifndef KVBROKER_CLI_ROOMS_H_
#define KVBROKER_CLI_ROOMS_H_

#include <string>

#include "cli/command.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// The rooms and how far each has come. `status` is of the same broker.
std::string RenderRooms(const admin::v1::Status& status, const admin::v1::ListRoomsResponse& rooms);

// kvctl rooms
class RoomsCommand : public Command {
 public:
  Text text() const override;
  absl::Status Run(const Context& context) override;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_ROOMS_H_
