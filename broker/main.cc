// kvbrokerd: owns the memory that engines borrow, one process for each device.
//
//   $ kvbrokerd --device host --host-memory 2GiB --runtime-dir /tmp/kvb
//   12:00:00.000 kvbrokerd 0.1.0 ready device=HOST-host (host memory, 2 GiB) capacity=2 GiB headroom=0 B policy_revision=0 tenants=0 epoch=1 …

#include <iostream>
#include <variant>

#include "broker/command_line.h"
#include "broker/daemon.h"

int main(int argc, char** argv) {
  const auto asked = kvbroker::ParseCommandLine(argc, argv);
  if (const int* code = std::get_if<int>(&asked)) return *code;
  const auto& [config, task] = std::get<kvbroker::CommandLine>(asked);
  if (task == kvbroker::CommandLine::Task::kCheckZeroing) return kvbroker::TryZeroing(config);
  const absl::Status served = kvbroker::Serve(config);
  if (served.ok()) return 0;
  std::cerr << "kvbrokerd: " << served.message() << "\n";
  return kvbroker::kExitFailed;
}
