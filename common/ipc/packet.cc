#include "common/ipc/packet.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

constexpr size_t kControlBytes = CMSG_SPACE(kMostDescriptors * sizeof(int));

// The address of a path that CheckSocketPath accepts.
sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address = {.sun_family = AF_UNIX};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

std::vector<UniqueFd> TakeDescriptors(msghdr& message) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

absl::Status SendPacket(int socket, absl::string_view bytes, absl::Span<const int> fds) {
  if (bytes.empty() || bytes.size() > kLargestPacket || fds.size() > kMostDescriptors) {
    return absl::InvalidArgumentError(
        absl::StrCat("a packet of ", bytes.size(), " bytes and ", fds.size(), " descriptors cannot be sent"));
  }
  iovec part = {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  alignas(cmsghdr) char control[kControlBytes];
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    std::memset(control, 0, message.msg_controllen);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return ErrnoToStatus(errno, "sendmsg");
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Packet>> ReceivePacket(int socket) {
  Packet packet;
  packet.bytes.resize(kLargestPacket);
  iovec part = {.iov_base = packet.bytes.data(), .iov_len = packet.bytes.size()};
  alignas(cmsghdr) char control[kControlBytes];
  msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  ssize_t received;
  do {
    received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
  if (received < 0) return ErrnoToStatus(errno, "recvmsg");
  packet.fds = TakeDescriptors(message);
  if (received == 0) return absl::UnavailableError("the connection was closed");
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return absl::DataLossError(absl::StrCat("a packet was cut off: ", received, " bytes and ", packet.fds.size(),
                                            " descriptors of it arrived"));
  }
  packet.bytes.resize(static_cast<size_t>(received));
  return packet;
}

absl::Status CheckSocketPath(const std::string& path) {
  constexpr size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path.size() > kLongest) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is no path for a socket: it has ", path.size(),
                                                   " bytes, and 1 to ", kLongest, " may be"));
  }
  return absl::OkStatus();
}

namespace {

absl::StatusOr<UniqueFd> Listen(const std::string& path, int type, int mode) {
  KVB_RETURN_IF_ERROR(CheckSocketPath(path));
  UniqueFd socket(::socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoToStatus(errno, "socket");
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoToStatus(errno, absl::StrCat("unlink ", path));
  const sockaddr_un address = AddressOf(path);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoToStatus(errno, absl::StrCat("bind ", path));
  }
  if (chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) return ErrnoToStatus(errno, absl::StrCat("chmod ", path));
  if (listen(socket.get(), SOMAXCONN) != 0) return ErrnoToStatus(errno, absl::StrCat("listen ", path));
  return socket;
}

}  // namespace

absl::StatusOr<UniqueFd> ListenSeqpacket(const std::string& path, int mode) {
  return Listen(path, SOCK_SEQPACKET, mode);
}

absl::StatusOr<UniqueFd> ListenStream(const std::string& path, int mode) { return Listen(path, SOCK_STREAM, mode); }

absl::StatusOr<UniqueFd> ConnectSeqpacket(const std::string& path) {
  KVB_RETURN_IF_ERROR(CheckSocketPath(path));
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoToStatus(errno, "socket");
  const sockaddr_un address = AddressOf(path);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoToStatus(errno, absl::StrCat("connect to ", path));
  }
  return socket;
}

}  // namespace kvbroker
