#ifndef KVBROKER_TESTS_REPLAY_TENANT_PROCESS_H_
#define KVBROKER_TESTS_REPLAY_TENANT_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/unique_fd.h"
#include "tests/replay/messages.h"
#include "tests/replay/monotonic.h"

namespace kvbroker::replay {

// A tenant's process as the coordinator has it: this program, executed anew. Ended where it still runs when this is
// destroyed. Thread-compatible.
class TenantProcess {
 public:
  // Starts the program with this process's own arguments and which tenant it is.
  static absl::StatusOr<std::unique_ptr<TenantProcess>> Start(const std::vector<std::string>& arguments, size_t tenant);
  ~TenantProcess();
  TenantProcess(const TenantProcess&) = delete;
  TenantProcess& operator=(const TenantProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Readable when the process has said something or ended.
  int fd() const { return channel_.get(); }

  // The next message; waits for it. A Failure comes as its text's status. UNAVAILABLE: the process ended without one;
  // says how. DEADLINE_EXCEEDED: none until `until`.
  absl::StatusOr<Message> Receive(MonotonicTime until);

  // Tells the process when to start.
  absl::Status SayStart(MonotonicTime start);

  // Waits for its end. Its exit must be 0.
  absl::Status Wait();

 private:
  TenantProcess(pid_t pid, UniqueFd channel) : pid_(pid), channel_(std::move(channel)) {}

  pid_t pid_;  // 0: waited for
  UniqueFd channel_;
  std::string received_;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_TENANT_PROCESS_H_
