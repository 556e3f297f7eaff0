#include "tests/device/extent_server.h"

#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status.h"
#include "common/device/cuda/cuda_device.h"
#include "common/device/cuda/driver_api.h"
#include "common/device/extent.h"
#include "common/ipc/packet.h"

namespace kvbroker {
namespace {

constexpr int kServerSocket = 3;  // the server's end, by number

// A status as one reply, and back: "<code> <message>".
std::string Written(const absl::Status& status) {
  return absl::StrCat(static_cast<int>(status.code()), " ", status.message());
}

absl::Status Read(absl::string_view text) {
  const size_t space = text.find(' ');
  int code;
  if (space == text.npos || !absl::SimpleAtoi(text.substr(0, space), &code)) {
    return absl::DataLossError(absl::StrCat("the extent server said: ", text));
  }
  return absl::Status(static_cast<absl::StatusCode>(code), text.substr(space + 1));
}

absl::StatusOr<bool> FirstGpuHasContext() {
  KVB_ASSIGN_OR_RETURN(const DriverApi* api, DriverApi::Load());
  CUdevice device;
  unsigned int flags = 0;
  int active = 0;
  if (api->device_get(&device, 0) != CUDA_SUCCESS ||
      api->primary_ctx_get_state(device, &flags, &active) != CUDA_SUCCESS) {
    return absl::InternalError("the driver does not tell of the first GPU's context");
  }
  CUcontext current = nullptr;
  if (api->ctx_get_current(&current) != CUDA_SUCCESS) return absl::InternalError("cuCtxGetCurrent failed");
  return active != 0 || current != nullptr;
}

// The server: a device and what was made of it.
class Server {
 public:
  explicit Server(Device& device) : device_(device) {}

  // Answers one request. An error: nothing more can be sent.
  absl::Status Answer(absl::string_view request) {
    if (absl::ConsumePrefix(&request, "create ")) return AnswerCreate(request);
    if (request == "release") {
      extents_.clear();
      return SendPacket(kServerSocket, Written(absl::OkStatus()));
    }
    if (request == "context") {
      const absl::StatusOr<bool> has = FirstGpuHasContext();
      if (!has.ok()) return SendPacket(kServerSocket, Written(has.status()));
      return SendPacket(kServerSocket, absl::StrCat(Written(absl::OkStatus()), *has ? "yes" : "no"));
    }
    return SendPacket(kServerSocket, Written(absl::InvalidArgumentError(request)));
  }

 private:
  absl::Status AnswerCreate(absl::string_view bytes) {
    absl::StatusOr<UniqueFd> fd = Create(bytes);
    if (!fd.ok()) return SendPacket(kServerSocket, Written(fd.status()));
    return SendPacket(kServerSocket, Written(absl::OkStatus()), {fd->get()});
  }

  absl::StatusOr<UniqueFd> Create(absl::string_view bytes) {
    uint64_t count;
    if (!absl::SimpleAtoi(bytes, &count)) return absl::InvalidArgumentError(bytes);
    KVB_ASSIGN_OR_RETURN(Extent extent, Extent::Create(device_, Bytes(count)));
    KVB_ASSIGN_OR_RETURN(UniqueFd fd, extent.Export());
    extents_.push_back(std::move(extent));
    return fd;
  }

  Device& device_;  // Not owned; must outlive this.
  std::vector<Extent> extents_;
};

}  // namespace

int ServeExtents(const std::string& uuid) {
  const auto device = CudaDevice::Open({.uuid = uuid, .role = DeviceRole::kOwner});
  // The first packet says whether the device is open.
  if (!SendPacket(kServerSocket, Written(device.status())).ok() || !device.ok()) return 1;
  Server server(**device);
  for (;;) {
    const absl::StatusOr<std::optional<Packet>> request = ReceivePacket(kServerSocket);
    if (!request.ok() || !request->has_value()) return 0;  // the test has ended
    if (!server.Answer((*request)->bytes).ok()) return 1;
  }
}

absl::StatusOr<std::unique_ptr<ExtentServer>> ExtentServer::Start(const std::string& uuid) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return ErrnoToStatus(errno, "socketpair");
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), kServerSocket);
  std::string flag = kExtentServerFlag;
  std::string argument = uuid;
  std::string name = "extent-server";
  char* const arguments[] = {name.data(), flag.data(), argument.data(), nullptr};
  pid_t pid;
  const int failed = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return ErrnoToStatus(failed, "posix_spawn of /proc/self/exe");

  std::unique_ptr<ExtentServer> server(new ExtentServer(pid, std::move(ours)));
  KVB_ASSIGN_OR_RETURN(const std::optional<Packet> opened, ReceivePacket(server->socket_.get()));
  KVB_RETURN_IF_ERROR(Read(opened->bytes));
  return server;
}

absl::StatusOr<ExtentServer::Reply> ExtentServer::Ask(absl::string_view request) {
  KVB_RETURN_IF_ERROR(SendPacket(socket_.get(), request));
  KVB_ASSIGN_OR_RETURN(std::optional<Packet> packet, ReceivePacket(socket_.get()));
  KVB_RETURN_IF_ERROR(Read(packet->bytes));
  Reply reply = {.text = packet->bytes.substr(packet->bytes.find(' ') + 1)};
  if (!packet->fds.empty()) reply.fd = std::move(packet->fds[0]);
  return reply;
}

absl::StatusOr<UniqueFd> ExtentServer::Create(Bytes bytes) {
  KVB_ASSIGN_OR_RETURN(Reply reply, Ask(absl::StrCat("create ", bytes.in_bytes())));
  if (!reply.fd.valid()) return absl::DataLossError("no descriptor came");
  return std::move(reply.fd);
}

absl::Status ExtentServer::ReleaseAll() { return Ask("release").status(); }

absl::StatusOr<bool> ExtentServer::HasContext() {
  KVB_ASSIGN_OR_RETURN(const Reply reply, Ask("context"));
  return reply.text == "yes";
}

void ExtentServer::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

}  // namespace kvbroker
