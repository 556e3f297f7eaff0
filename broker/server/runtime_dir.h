#ifndef KVBROKER_BROKER_SERVER_RUNTIME_DIR_H_
#define KVBROKER_BROKER_SERVER_RUNTIME_DIR_H_

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

// The broker's folder under the runtime directory, and the lock that makes it the device's only broker there:
//
//   <root>/<uuid>/engine.sock, admin/admin.sock, lock, epoch, journal, zeroed, drained
//   <root>/<uuid>/tenants/<tenant>/engine.sock   of each tenant that has its own
//   <root>/gpu0                 a link to the folder of the GPU that CUDA counts as 0, for people; gpu1 to that of 1
//
// A host device takes gpu0 where no other broker that lives has it.
//
// The lock is the kernel's and ends with the process, however it ends. Thread-compatible.
class RuntimeDir {
 public:
  // Makes the folders and takes the lock. ALREADY_EXISTS: another broker owns the device; names its process.
  // INVALID_ARGUMENT: a socket's path would be too long; names it.
  static absl::StatusOr<RuntimeDir> Open(const std::string& root, const std::string& uuid);

  const std::string& path() const { return path_; }
  std::string engine_socket() const { return path_ + "/engine.sock"; }
  std::string drain_mark() const { return path_ + "/drained"; }
  std::string journal() const { return path_ + "/journal"; }
  std::string admin_socket() const { return path_ + "/admin/admin.sock"; }

  // Makes the folder for the tenant's own socket, and returns the socket's path. Only root and the broker's user get there,
  // and whoever has the folder mounted. INVALID_ARGUMENT: the path would be too long.
  absl::StatusOr<std::string> TenantSocket(const std::string& tenant) const;

  // One more than the epoch of the broker before, kept before it is returned. Starts with 1.
  absl::StatusOr<uint64_t> NextEpoch() const;
  // Makes <root>/<link> lead here, unless something else than a link is there.
  absl::Status Link(absl::string_view link) const;
  // As Link(), where the link does not lead to the folder of a broker that lives.
  absl::Status LinkUnlessServed(absl::string_view link) const;
  // Lets `group` connect to the admin socket, which is bound by now, besides its owner. Where there is no such group,
  // or this process may not give files to it, the socket stays with the process's own group.
  absl::Status AdmitToAdmin(const std::string& group) const;
  // Takes the sockets away but those at the paths in `kept`; what else is in the folder stays.
  void RemoveSockets(const std::set<std::string>& kept = {}) const;

 private:
  RuntimeDir(std::string root, std::string path, UniqueFd lock);

  std::string root_;
  std::string path_;
  UniqueFd lock_;  // Held while it is open.
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_RUNTIME_DIR_H_
