#include "broker/server/admin_door.h"

#include <grpcpp/server_posix.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status.h"
#include "common/ipc/packet.h"

namespace kvbroker {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(100);  // where nobody can be accepted: no descriptors, say

}  // namespace

absl::StatusOr<std::unique_ptr<AdminDoor>> AdminDoor::Open(const std::string& path, EventLoop& loop) {
  KVB_ASSIGN_OR_RETURN(UniqueFd listener, ListenStream(path, 0660));
  return std::unique_ptr<AdminDoor>(new AdminDoor(path, std::move(listener), loop));
}

AdminDoor::AdminDoor(std::string path, UniqueFd listener, EventLoop& loop)
    : path_(std::move(path)), listener_(std::move(listener)), loop_(loop) {}

AdminDoor::~AdminDoor() { loop_.Unwatch(listener_.get()); }

absl::Status AdminDoor::Admit(grpc::Server& server) {
  return loop_.Watch(listener_.get(), [this, &server] { Accept(server); });
}

void AdminDoor::Accept(grpc::Server& server) {
  for (;;) {
    UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return;
      const absl::Status error = ErrnoToStatus(errno, "accept4");
      if (!std::exchange(accept_fails_, true)) LogError("operators cannot connect: ", error.message());
      loop_.Unwatch(listener_.get());
      loop_.At(MonotonicNow() + kPause, [this, &server] {
        if (const absl::Status again = Admit(server); !again.ok())
          LogError("operators cannot connect: ", again.message());
      });
      return;
    }
    accept_fails_ = false;
    absl::StatusOr<PeerCredentials> credentials = CredentialsOf(socket.get());
    if (!credentials.ok()) {
      LogWarning("an operator's connection is closed: ", credentials.status().message());
      continue;
    }
    {
      absl::MutexLock lock(&mu_);
      Peer& peer = peers_[absl::StrCat("fd:", socket.get())];
      peer.is_operator = IsOperator(*credentials);
      peer.credentials = *std::move(credentials);
    }
    grpc::AddInsecureChannelFromFd(&server, socket.Take());
  }
}

bool AdminDoor::IsOperator(const PeerCredentials& peer) const {
  if (peer.uid == 0 || peer.uid == geteuid()) return true;
  struct stat of;
  return stat(path_.c_str(), &of) == 0 && peer.IsIn(of.st_gid);
}

absl::StatusOr<PeerCredentials> AdminDoor::Caller(const grpc::ServerContext& context) const {
  absl::MutexLock lock(&mu_);
  const auto it = peers_.find(context.peer());
  if (it == peers_.end()) return absl::PermissionDeniedError(absl::StrCat("nobody knows ", context.peer()));
  const auto& [credentials, is_operator] = it->second;
  if (is_operator) return credentials;
  return absl::PermissionDeniedError(absl::StrCat("user ", credentials.uid, " (group ", credentials.gid,
                                                  ") is no operator: neither root, nor the broker's",
                                                  " user, nor a member of the group of ", path_));
}

}  // namespace kvbroker
