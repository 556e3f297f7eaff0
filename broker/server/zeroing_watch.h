#ifndef KVBROKER_BROKER_SERVER_ZEROING_WATCH_H_
#define KVBROKER_BROKER_SERVER_ZEROING_WATCH_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/server/event_loop.h"
#include "common/base/unique_fd.h"

namespace kvbroker {

inline constexpr int kExitNotZeroed = 3;  // of `kvbrokerd --check-zeroing`; 0: zeroed; else it could not be tried

// Finds out whether the device zeroes what it gives out anew, in a child (this program with --check-zeroing), since the broker
// itself makes no context. Once it has been seen, that is kept in `record` until the machine starts anew: a broker that takes
// over a full device from another does not take memory for this.
//
// Thread-bound to the loop's thread.
class ZeroingWatch {
 public:
  struct Options {
    std::string device;  // as --device names it
    std::string record;  // a file
    std::string boot_id;
  };
  // OK: it does. DATA_LOSS: it does not. Else it could not be tried. Called once, from the loop.
  using Done = std::function<void(const absl::Status&)>;

  static std::unique_ptr<ZeroingWatch> Start(const Options& options, EventLoop& loop, Done done);
  // Ends the child.
  ~ZeroingWatch();

 private:
  ZeroingWatch(const Options& options, EventLoop& loop, Done done);

  absl::Status Spawn();
  void Ended();

  const Options options_;
  EventLoop& loop_;  // Not owned.
  const Done done_;
  pid_t child_ = -1;
  UniqueFd pidfd_;
  UniqueFd said_;  // the read end of its output
  EventLoop::TimerId timeout_ = 0;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_ZEROING_WATCH_H_
