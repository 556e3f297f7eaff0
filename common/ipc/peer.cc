#include "common/ipc/peer.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

// The pid in a pidfd's fdinfo, -1 where its process has ended; none where `fd` is no pidfd.
absl::StatusOr<int64_t> PidOf(int fd) {
  std::ifstream info(absl::StrCat("/proc/self/fdinfo/", fd));
  for (std::string line; std::getline(info, line);) {
    int64_t pid;
    if (absl::StartsWith(line, "Pid:") && absl::SimpleAtoi(line.substr(4), &pid)) return pid;
  }
  return absl::UnauthenticatedError("the descriptor that came with Hello is no pidfd");
}

// Field 22 of /proc/<pid>/stat, counted behind the name, which may contain anything but its last ')'.
absl::StatusOr<uint64_t> StartTimeOf(int64_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  if (name_end != std::string::npos) {
    const std::vector<std::string> fields = absl::StrSplit(line.substr(name_end + 1), ' ', absl::SkipEmpty());
    uint64_t start_time;
    if (fields.size() > 19 && absl::SimpleAtoi(fields[19], &start_time)) return start_time;
  }
  return absl::UnauthenticatedError(absl::StrCat("process ", pid, " has ended"));
}

absl::StatusOr<ucred> UcredOf(int socket) {
  ucred credentials;
  socklen_t length = sizeof(credentials);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return ErrnoToStatus(errno, "getsockopt SO_PEERCRED");
  }
  return credentials;
}

}  // namespace

absl::StatusOr<UniqueFd> OwnPidfd() {
  UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!fd.valid()) return ErrnoToStatus(errno, "pidfd_open");
  return fd;
}

bool PeerCredentials::IsIn(gid_t group) const {
  return gid == group || std::find(groups.begin(), groups.end(), group) != groups.end();
}

absl::StatusOr<PeerCredentials> CredentialsOf(int socket) {
  KVB_ASSIGN_OR_RETURN(const ucred credentials, UcredOf(socket));
  std::vector<gid_t> groups(NGROUPS_MAX);
  auto length = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length) != 0) length = 0;  // older than Linux 4.13
  groups.resize(length / sizeof(gid_t));
  return PeerCredentials{
      .pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid, .groups = std::move(groups)};
}

absl::StatusOr<ProcessIdentity> IdentifyPeer(int socket, int pidfd) {
  KVB_ASSIGN_OR_RETURN(const ucred credentials, UcredOf(socket));
  KVB_ASSIGN_OR_RETURN(const int64_t pid, PidOf(pidfd));
  if (pid != credentials.pid || pid <= 0) {
    return absl::UnauthenticatedError(
        absl::StrCat("the pidfd is of process ", pid, ", the connection of process ", credentials.pid));
  }
  KVB_ASSIGN_OR_RETURN(const uint64_t start_time, StartTimeOf(pid));
  return ProcessIdentity{.pid = pid, .start_time = start_time, .uid = credentials.uid, .gid = credentials.gid};
}

std::string CgroupOf(const ProcessIdentity& process, int pidfd) {
  std::ifstream file(absl::StrCat("/proc/", process.pid, "/cgroup"));
  std::string unified, systemds;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));  // number:controllers:path
    if (parts.size() != 3) continue;
    if (parts[0] == "0" && parts[1].empty()) unified = parts[2];
    if (parts[1] == "name=systemd") systemds = parts[2];
  }
  // It still is the process that the pid was of: what was read is its own.
  const absl::StatusOr<int64_t> pid = PidOf(pidfd);
  if (!pid.ok() || *pid != process.pid) return "";
  return unified.size() > 1 || systemds.empty() ? unified : systemds;
}

absl::StatusOr<UniqueFd> OpenProcess(const ProcessIdentity& process) {
  const absl::Status ended = absl::NotFoundError(absl::StrCat("process ", process.pid, " has ended"));
  if (process.pid <= 0 || process.pid > std::numeric_limits<pid_t>::max()) return ended;
  UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(process.pid), 0)));
  if (!fd.valid() && errno == ESRCH) return ended;
  if (!fd.valid()) return ErrnoToStatus(errno, absl::StrCat("pidfd_open ", process.pid));
  // The descriptor first, then the time: what is read is of the process that the descriptor is of, or of none.
  const absl::StatusOr<uint64_t> start_time = StartTimeOf(process.pid);
  if (!start_time.ok() || *start_time != process.start_time) return ended;
  return fd;
}

}  // namespace kvbroker
