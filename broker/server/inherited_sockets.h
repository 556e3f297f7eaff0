#ifndef KVBROKER_BROKER_SERVER_INHERITED_SOCKETS_H_
#define KVBROKER_BROKER_SERVER_INHERITED_SOCKETS_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"

namespace kvbroker {

// Sockets that systemd listens on for the broker (socket activation, sd_listen_fds(3)): who connects while there is no broker
// waits for the next one, and one is started for it. Thread-compatible.
class InheritedSockets {
 public:
  InheritedSockets() = default;
  // As LISTEN_PID and LISTEN_FDS say; they are taken out of the environment. What is no listening SOCK_SEQPACKET socket with a
  // path is closed, and the log says so. Once in a process: the descriptors are this object's from then on.
  static InheritedSockets FromEnvironment();

  // The paths of those that there were.
  const std::set<std::string>& paths() const { return paths_; }
  // The one that listens at `path`, non-blocking; none: there is none, or it was taken.
  std::optional<UniqueFd> Take(const std::string& path);
  // The paths of those that were not taken.
  std::vector<std::string> left() const;

 private:
  std::map<std::string, UniqueFd> sockets_;
  std::set<std::string> paths_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_INHERITED_SOCKETS_H_
