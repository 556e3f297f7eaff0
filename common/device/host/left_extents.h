#ifndef KVBROKER_COMMON_DEVICE_HOST_LEFT_EXTENTS_H_
#define KVBROKER_COMMON_DEVICE_HOST_LEFT_EXTENTS_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/bytes.h"

namespace kvbroker {

// The memfds of one kind of name that other processes have mapped or open: what an owner that is no more has left with its
// clients. They can only become fewer. The kernel shows a process's to its own user and to root alone; those of other
// users are not seen.
//
// Thread-compatible.
class LeftExtents {
 public:
  // Looks at every process for memfds whose names begin with `prefix`, but for those that are named `own`.
  LeftExtents(absl::string_view prefix, absl::string_view own);

  // How much is left, each memfd once. Looks again at the processes that had some.
  Bytes Look();

 private:
  using BytesByInode = std::map<uint64_t, Bytes>;

  bool IsOne(absl::string_view link) const;
  // Adds those of the process to `extents`, by inode.
  void AddMapped(pid_t pid, BytesByInode& extents) const;
  void AddOpen(pid_t pid, BytesByInode& extents) const;

  std::string prefix_, own_;  // as the kernel writes them
  std::vector<pid_t> processes_;
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_DEVICE_HOST_LEFT_EXTENTS_H_
