#ifndef KVBROKER_CLIENT_ARENA_FORK_GUARD_H_
#define KVBROKER_CLIENT_ARENA_FORK_GUARD_H_

#include <atomic>

#include "absl/status/status.h"

namespace kvbroker {

// Knows whether this process was forked since the guard was made: threads, channels and device of its owner stayed with
// the parent, so that the owner is dead here. Costs one load to ask, no system call. Thread-safe.
class ForkGuard {
 public:
  ForkGuard();

  bool forked() const { return generation_.load(std::memory_order_relaxed) != made_in_; }
  // FAILED_PRECONDITION in a forked child.
  absl::Status Check() const;

  // In forked children `fd` is closed first thing, until it is forgotten: a child must not keep a connection open.
  static void CloseInChildren(int fd);
  static void Forget(int fd);

 private:
  static void InChild();

  static std::atomic<unsigned> generation_;  // forks between this process and the one that loaded the library
  const unsigned made_in_;
};

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_ARENA_FORK_GUARD_H_
