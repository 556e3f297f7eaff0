// kvctl: shows and steers a broker.
//
//   $ kvctl status
//   $ kvctl top
//   $ kvctl limit chat 50%
//   chat: limit 10.0 GiB

#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/run.h"

int main(int argc, char** argv) {
  return kvbroker::cli::Run(std::vector<std::string>(argv + 1, argv + argc), kvbroker::cli::ProcessConsole());
}
