#ifndef KVBROKER_CLI_RUN_H_
#define KVBROKER_CLI_RUN_H_

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/console.h"

namespace kvbroker::cli {

// kvctl: runs the command that `args` (without the program's name) ask for and returns what the process is to exit
// with. Errors are one line on the console's err.
int Run(const std::vector<std::string>& args, const Console& console);

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_RUN_H_
