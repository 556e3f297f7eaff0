#ifndef KVBROKER_BROKER_COMMAND_LINE_H_
#define KVBROKER_BROKER_COMMAND_LINE_H_

#include <variant>

#include "broker/config/config.h"

namespace kvbroker {

inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

struct CommandLine {
  enum class Task { kServe, kCheckZeroing };
  BrokerConfig config;
  Task task = Task::kServe;
};

// What flags, environment and configuration file ask for. An int: there is nothing to do, all has been said (--help, --check,
// a mistake), and this is the exit code.
std::variant<CommandLine, int> ParseCommandLine(int argc, char** argv);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_COMMAND_LINE_H_
