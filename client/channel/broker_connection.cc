#include "client/channel/broker_connection.h"

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/arena/fork_guard.h"
#include "common/base/status.h"
#include "common/ipc/packet.h"
#include "common/ipc/peer.h"
#include "common/ipc/session_metadata.h"

namespace kvbroker {
namespace {

absl::StatusOr<v1::BrokerFrame> ParseFrame(const std::string& bytes) {
  v1::BrokerFrame frame;
  if (!frame.ParseFromString(bytes)) {
    return absl::DataLossError(absl::StrCat("the broker sent ", bytes.size(), " bytes that are no frame"));
  }
  if (frame.has_rejected()) {
    return absl::Status(static_cast<absl::StatusCode>(frame.rejected().code()), frame.rejected().message());
  }
  return frame;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BrokerConnection>> BrokerConnection::Open(const std::string& socket_path,
                                                                         const v1::ClientFrame& first,
                                                                         absl::Duration patience) {
  KVB_ASSIGN_OR_RETURN(UniqueFd socket, ConnectSeqpacket(socket_path));
  KVB_ASSIGN_OR_RETURN(const UniqueFd pidfd, OwnPidfd());
  KVB_RETURN_IF_ERROR(SendPacket(socket.get(), first.SerializeAsString(), {pidfd.get()}));

  pollfd readable = {.fd = socket.get(), .events = POLLIN};
  const int64_t patience_ms = std::max<int64_t>(absl::ToInt64Milliseconds(patience), 0);
  if (poll(&readable, 1, static_cast<int>(patience_ms)) <= 0) {
    return absl::DeadlineExceededError(absl::StrCat("the broker at ", socket_path, " does not answer"));
  }
  KVB_ASSIGN_OR_RETURN(std::optional<Packet> packet, ReceivePacket(socket.get()));
  if (!packet.has_value()) return absl::UnavailableError("no answer");
  KVB_ASSIGN_OR_RETURN(const v1::BrokerFrame frame, ParseFrame(packet->bytes));
  if (!frame.has_welcome() || packet->fds.size() != 1) {
    return absl::DataLossError(absl::StrCat("the broker at ", socket_path, " answered Hello with something else"));
  }
  const int flags = fcntl(socket.get(), F_GETFL);
  if (fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) return ErrnoToStatus(errno, "fcntl O_NONBLOCK");
  return std::unique_ptr<BrokerConnection>(
      new BrokerConnection(std::move(socket), frame.welcome(), packet->fds.front().Take()));
}

BrokerConnection::BrokerConnection(UniqueFd socket, v1::Welcome welcome, int control_fd)
    : socket_(std::move(socket)),
      welcome_(std::move(welcome)),
      channel_(grpc::CreateInsecureChannelFromFd("kvbroker", control_fd)),
      stub_(v1::Engine::NewStub(channel_)) {
  ForkGuard::CloseInChildren(socket_.get());
  context_.AddMetadata(kSessionMetadata, absl::StrCat(welcome_.session_id()));
  stream_ = stub_->Negotiate(&context_);
}

BrokerConnection::~BrokerConnection() {
  CloseHandOver();
  context_.TryCancel();
  if (has_end_) return;
  // Drained, so that Finish has nothing to wait for; how the stream ended no longer matters.
  for (v1::BrokerMessage rest; stream_->Read(&rest);) {
  }
  End().IgnoreError();
}

absl::Status BrokerConnection::End() {
  has_end_ = true;
  const grpc::Status end = stream_->Finish();
  return absl::Status(static_cast<absl::StatusCode>(end.error_code()), end.error_message());
}

void BrokerConnection::CloseHandOver() {
  if (!socket_.valid()) return;
  ForkGuard::Forget(socket_.get());
  socket_.Reset();
}

absl::Status BrokerConnection::Send(const v1::ClientFrame& frame) {
  return SendPacket(socket_.get(), frame.SerializeAsString());
}

absl::StatusOr<std::optional<Batch>> BrokerConnection::Receive() {
  KVB_ASSIGN_OR_RETURN(std::optional<Packet> packet, ReceivePacket(socket_.get()));
  if (!packet.has_value()) return std::nullopt;
  KVB_ASSIGN_OR_RETURN(v1::BrokerFrame frame, ParseFrame(packet->bytes));
  if (!frame.has_handles()) return absl::DataLossError("the broker sent a frame that is no batch");
  return Batch{.handles = std::move(*frame.mutable_handles()), .fds = std::move(packet->fds)};
}

absl::StatusOr<std::string> FindEngineSocket(const std::string& runtime_dir, const std::string& device_uuid) {
  std::string root = runtime_dir;
  if (root.empty()) {
    const char* variable = std::getenv("KVBROKER_RUNTIME_DIR");
    root = variable != nullptr && *variable != '\0' ? variable : "/run/kvbroker";
  }
  if (!device_uuid.empty()) return absl::StrCat(root, "/", device_uuid, "/engine.sock");
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    if (entry.is_symlink()) continue;  // gpu0 and its like lead to folders that are listed themselves
    const std::filesystem::path socket = entry.path() / "engine.sock";
    if (std::filesystem::exists(socket, error)) found.push_back(socket);
  }
  if (found.empty()) {
    return absl::NotFoundError(absl::StrCat("no broker's socket under ", root,
                                            ": start one with kvbrokerd --runtime-dir ", root,
                                            ", or set KVBROKER_RUNTIME_DIR"));
  }
  if (found.size() > 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("several brokers under ", root, ", name the device: ", absl::StrJoin(found, ", ")));
  }
  return found.front();
}

}  // namespace kvbroker
