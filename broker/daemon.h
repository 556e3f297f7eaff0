#ifndef KVBROKER_BROKER_DAEMON_H_
#define KVBROKER_BROKER_DAEMON_H_

#include <functional>

#include "absl/status/status.h"
#include "broker/config/config.h"
#include "common/device/device.h"

namespace kvbroker {

// Where a test gets between the daemon and what it works with. All empty: nobody is there.
struct Seams {
  // What the broker uses in place of its device; it must outlive the call.
  std::function<Device&(Device&)> device;
  // Before each effect of a step is carried out, and after its last one.
  std::function<void()> at_effect;
};

// Owns the device and serves engines and operators until SIGTERM or SIGINT, or until the device is lost: DATA_LOSS; whoever
// started it may start it again. Once a process; blocks those signals in the
// calling thread and those that it starts.
absl::Status Serve(const BrokerConfig& config, const Seams& seams = {});

// Sees whether the device zeroes what it gives out anew, says so, and returns the exit code (kExitNotZeroed: it does not).
// Makes a context on a GPU, and takes 256 MiB of it for a moment; for a process of its own.
int TryZeroing(const BrokerConfig& config);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_DAEMON_H_
