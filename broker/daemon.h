#ifndef KVBROKER_BROKER_DAEMON_H_
#define KVBROKER_BROKER_DAEMON_H_

#include <functional>

#include "common/device/device.h"

namespace kvbroker {

// Where a test gets between the daemon and what it works with. All empty: nobody is there.
struct Seams {
  // What the broker uses in place of its device; it must outlive the call.
  std::function<Device&(Device&)> device;
  // Before each effect of a step is carried out, and after its last one.
  std::function<void()> at_effect;
};

// kvbrokerd's main(): owns the device and serves engines and operators until SIGTERM or SIGINT, or until the device is lost, or
// does what else the command line asks for. Once a process; blocks those signals in the calling thread and those that it
// starts. Returns the exit code.
int RunDaemon(int argc, char** argv, const Seams& seams = {});

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_DAEMON_H_
