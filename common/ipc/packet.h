#ifndef KVBROKER_COMMON_IPC_PACKET_H_
#define KVBROKER_COMMON_IPC_PACKET_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

// The kernel passes at most so many descriptors in one message (SCM_MAX_FD).
inline constexpr size_t kMostDescriptors = 253;
inline constexpr size_t kLargestPacket = 64 << 10;

// One message of a SOCK_SEQPACKET connection, with the descriptors that came along.
struct Packet {
  std::string bytes;
  std::vector<UniqueFd> fds;
};

// Sends one packet; all of it or nothing. `fds` are borrowed. Never raises SIGPIPE.
// UNAVAILABLE: the peer is gone, or (non-blocking sockets) does not read. RESOURCE_EXHAUSTED: too many descriptors are
// on their way. INVALID_ARGUMENT: a packet or descriptors beyond the bounds above.
absl::Status SendPacket(int socket, absl::string_view bytes, absl::Span<const int> fds = {});

// Receives one packet; none where a non-blocking socket has nothing. UNAVAILABLE: the peer has closed.
// DATA_LOSS: bytes or descriptors were cut off (too long, or this process is at its limit of descriptors); those that
// did arrive are closed.
absl::StatusOr<std::optional<Packet>> ReceivePacket(int socket);

// A listening SOCK_SEQPACKET socket at `path`, non-blocking. A socket that lies there is replaced: the caller holds the
// lock that says nobody else listens. INVALID_ARGUMENT names a path that is too long for a socket.
absl::StatusOr<UniqueFd> ListenSeqpacket(const std::string& path, int mode);
// The same of a SOCK_STREAM socket.
absl::StatusOr<UniqueFd> ListenStream(const std::string& path, int mode);

// Connects to `path`, blocking. NOT_FOUND, UNAVAILABLE: nobody listens there.
absl::StatusOr<UniqueFd> ConnectSeqpacket(const std::string& path);

// OK where `path` fits into a socket's address (107 bytes); else INVALID_ARGUMENT names it and its length.
absl::Status CheckSocketPath(const std::string& path);

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_IPC_PACKET_H_
