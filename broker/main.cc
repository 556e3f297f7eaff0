// kvbrokerd: owns the memory that engines borrow, one process for each device.
//
//   $ kvbrokerd --device host --host-memory 2GiB --runtime-dir /tmp/kvb
//   12:00:00.000 kvbrokerd 0.1.0 ready device=HOST-host (host memory, 2 GiB) capacity=2 GiB headroom=0 B policy_revision=0 tenants=0 epoch=1 …

#include "broker/daemon.h"

int main(int argc, char** argv) { return kvbroker::RunDaemon(argc, argv); }
