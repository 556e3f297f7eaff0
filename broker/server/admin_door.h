#ifndef KVBROKER_BROKER_SERVER_ADMIN_DOOR_H_
#define KVBROKER_BROKER_SERVER_ADMIN_DOOR_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "broker/server/event_loop.h"
#include "common/base/unique_fd.h"
#include "common/ipc/peer.h"

namespace kvbroker {

// Where operators connect. Accepts on the loop, asks the kernel who it is, and hands the connection to the gRPC server; so
// each call can be told who makes it.
//
// An operator is root, the broker's own user, or a member of the group that the socket belongs to: of whom the socket's mode
// lets in as well. It is checked again at each call all the same: a connection that was handed on, or one to a socket whose
// mode somebody changed, changes nothing here.
//
// Thread-compatible, but for Caller(), which any thread may call.
class AdminDoor {
 public:
  // Listens on `path`, mode 0660. `loop` is not owned; the door closes when the loop has ended.
  static absl::StatusOr<std::unique_ptr<AdminDoor>> Open(const std::string& path, EventLoop& loop);
  ~AdminDoor();

  // Lets in who comes from now on. `server` is not owned and must outlive this.
  absl::Status Admit(grpc::Server& server);

  // Who makes this call. PERMISSION_DENIED: no operator; names the user.
  absl::StatusOr<PeerCredentials> Caller(const grpc::ServerContext& context) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Peer {
    PeerCredentials credentials;
    bool is_operator = false;
  };

  AdminDoor(std::string path, UniqueFd listener, EventLoop& loop);
  void Accept(grpc::Server& server) ABSL_LOCKS_EXCLUDED(mu_);
  bool IsOperator(const PeerCredentials& peer) const;

  const std::string path_;
  const UniqueFd listener_;
  EventLoop& loop_;  // Not owned.
  bool accept_fails_ = false;

  mutable absl::Mutex mu_;
  std::map<std::string, Peer> peers_ ABSL_GUARDED_BY(mu_);  // by gRPC's name; one that is used again is overwritten
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_ADMIN_DOOR_H_
