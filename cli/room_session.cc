#include "cli/room_session.h"

#include <filesystem>
#include <utility>

#include "client/session/session.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

namespace fs = std::filesystem;

class ClientRoomSession : public RoomSession {
 public:
  explicit ClientRoomSession(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  absl::Status Reserve(Bytes bytes, absl::Duration timeout, absl::Duration ttl) override {
    return session_->ReserveRoom(bytes, timeout, ttl);
  }

 private:
  const std::unique_ptr<Session> session_;
};

// The engine socket of the broker that is meant; empty: the only one in the runtime directory. The admin socket, which
// --socket names, is two folders deeper.
std::string EngineSocket(const Where& where) {
  if (where.socket.has_value()) {
    const fs::path path = *where.socket;
    if (path.filename() != "admin.sock") return path;
    return fs::absolute(path).parent_path().parent_path() / "engine.sock";
  }
  // A path, as the folder may be a link: gpu0.
  if (where.device.has_value()) return fs::path(RuntimeDir(where)) / *where.device / "engine.sock";
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<RoomSession>> OpenRoomSession(const Where& where, const std::string& tenant,
                                                             const std::string& engine) {
  KVB_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Open({.tenant = tenant,
                                                                        .engine = engine,
                                                                        .socket = EngineSocket(where),
                                                                        .runtime_dir = RuntimeDir(where),
                                                                        .room_only = true}));
  return std::make_unique<ClientRoomSession>(std::move(session));
}

}  // namespace kvbroker::cli
