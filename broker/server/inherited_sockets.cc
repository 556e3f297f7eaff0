#include "broker/server/inherited_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>

#include "absl/strings/numbers.h"
#include "broker/server/take_variable.h"
#include "common/base/log.h"

namespace kvbroker {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr int kMost = 1024;

int Option(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

// Where it listens; "": nowhere that engines could come by.
std::string PathOf(int fd) {
  sockaddr_un address = {};
  socklen_t size = sizeof(address);
  if (Option(fd, SO_TYPE) != SOCK_SEQPACKET || Option(fd, SO_ACCEPTCONN) != 1) return "";
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sun_family != AF_UNIX) return "";
  const size_t length = size - offsetof(sockaddr_un, sun_path);
  return length == 0 || address.sun_path[0] == '\0' ? "" : std::string(address.sun_path);
}

}  // namespace

InheritedSockets InheritedSockets::FromEnvironment() {
  const std::string pid_text = TakeVariable("LISTEN_PID");
  const std::string count_text = TakeVariable("LISTEN_FDS");
  TakeVariable("LISTEN_FDNAMES");
  InheritedSockets inherited;
  int pid = 0;
  int count = 0;
  if (!absl::SimpleAtoi(pid_text, &pid) || pid != getpid()) return inherited;  // they are somebody else's
  if (!absl::SimpleAtoi(count_text, &count) || count <= 0 || count > kMost) return inherited;
  for (int i = kFirst; i < kFirst + count; ++i) {
    UniqueFd fd(i);
    const std::string path = PathOf(i);
    if (path.empty() || fcntl(i, F_SETFD, FD_CLOEXEC) != 0 || fcntl(i, F_SETFL, O_NONBLOCK) != 0) {
      LogWarning("descriptor ", i, " was inherited and is no socket that engines could come by: closed");
      continue;
    }
    inherited.paths_.insert(path);
    inherited.sockets_[path] = std::move(fd);
  }
  return inherited;
}

std::vector<std::string> InheritedSockets::left() const {
  std::vector<std::string> paths;
  for (const auto& [path, socket] : sockets_) paths.push_back(path);
  return paths;
}

std::optional<UniqueFd> InheritedSockets::Take(const std::string& path) {
  auto node = sockets_.extract(path);
  if (node.empty()) return std::nullopt;
  return std::move(node.mapped());
}

}  // namespace kvbroker
