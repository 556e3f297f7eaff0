#ifndef KVBROKER_COMMON_BASE_PROCESS_IDENTITY_H_
#define KVBROKER_COMMON_BASE_PROCESS_IDENTITY_H_

#include <cstdint>

namespace kvbroker {

// Who a process is, as the kernel says.
struct ProcessIdentity {
  int64_t pid = 0;
  uint64_t start_time = 0;  // clock ticks since boot: with the pid, unique until the next boot
  uint32_t uid = 0;
  uint32_t gid = 0;

  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_BASE_PROCESS_IDENTITY_H_
