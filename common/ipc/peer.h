#ifndef KVBROKER_COMMON_IPC_PEER_H_
#define KVBROKER_COMMON_IPC_PEER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/process_identity.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

// A pidfd of the calling process, to be sent along with Hello.
absl::StatusOr<UniqueFd> OwnPidfd();

// Who is at the other end of `socket`, as the kernel says: its credentials from the socket, and `pidfd`, which it sent,
// is its own. `pidfd` is borrowed.
// UNAUTHENTICATED: the descriptor is no pidfd, or another process's; names both pids.
absl::StatusOr<ProcessIdentity> IdentifyPeer(int socket, int pidfd);

// The cgroup of that process, as this one sees it: in the unified hierarchy, or systemd's own where that has nothing but its
// root. "": it has ended, or there are no cgroups. `pidfd` is of the process, and borrowed.
std::string CgroupOf(const ProcessIdentity& process, int pidfd);

// Who connected at the other end of `socket`, as the kernel says; `groups`: all of them, `gid` may be missing among these.
struct PeerCredentials {
  int64_t pid = 0;  // 0: in another pid namespace
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;

  bool IsIn(gid_t group) const;
};
absl::StatusOr<PeerCredentials> CredentialsOf(int socket);

// A pidfd of that process. NOT_FOUND: it has ended, whoever has its pid by now; names it.
absl::StatusOr<UniqueFd> OpenProcess(const ProcessIdentity& process);

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_IPC_PEER_H_
