#ifndef KVBROKER_CLI_ROOM_SESSION_H_
#define KVBROKER_CLI_ROOM_SESSION_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/connect.h"
#include "common/base/bytes.h"

namespace kvbroker::cli {

// A session with the broker that has one room at the most, and nothing else. Its end gives the room up.
class RoomSession {
 public:
  virtual ~RoomSession() = default;

  // As Session::ReserveRoom.
  virtual absl::Status Reserve(Bytes bytes, absl::Duration timeout, absl::Duration ttl) = 0;
};

// `engine` is for people. Errors as Session::Open's.
using RoomSessionOpener = std::function<absl::StatusOr<std::unique_ptr<RoomSession>>(
    const Where& where, const std::string& tenant, const std::string& engine)>;

// Opens a session of the client library. A user who may not use the admin socket may have one.
absl::StatusOr<std::unique_ptr<RoomSession>> OpenRoomSession(const Where& where, const std::string& tenant,
                                                             const std::string& engine);

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_ROOM_SESSION_H_
