// Which kvctl this is. The broker's version is in `kvctl status`.
//
//   $ kvctl version
//   kvctl 0.1.0

#include "cli/version.h"

#include "common/base/version.h"

namespace kvbroker::cli {

Command::Text VersionCommand::text() const {
  return {.name = "version",
          .what = "Print the version of kvctl",
          .examples =
              "  kvctl version\n"
              "  kvctl version --json\n"
              "Asks no broker; the version of the broker is in kvctl status.\n"};
}

absl::Status VersionCommand::Run(const Context& context) {
  if (context.output == Output::kJson) {
    context.console.out << "{\"version\": \"" << kVersion << "\"}\n";
  } else {
    context.console.out << "kvctl " << kVersion << "\n";
  }
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
