#ifndef KVBROKER_CLI_COMMAND_H_
#define KVBROKER_CLI_COMMAND_H_

#include <string>

#include "absl/status/status.h"
#include "cli/connect.h"
#include "cli/console.h"

namespace CLI {
class App;
}

namespace kvbroker::cli {

enum class Output { kText, kJson };

// What every command is told. The console is not owned and must outlive this.
struct Context {
  Where where;
  Output output = Output::kText;
  const Console& console;
};

// One command of kvctl. Made, declared, then, if it is the chosen one, checked and run once.
class Command {
 public:
  // What `kvctl --help` and `kvctl NAME --help` say of it.
  struct Text {
    std::string name;
    std::string what;      // one line
    std::string examples;  // a session or two, each line indented by two
  };

  virtual ~Command() = default;

  virtual Text text() const = 0;

  // Adds its own options and arguments to `app`, which fills them when it parses.
  virtual void Declare(CLI::App& app) {}

  // INVALID_ARGUMENT names a value that makes no sense. Asks no broker.
  virtual absl::Status Check() { return absl::OkStatus(); }

  // REQUIRES: Check was OK. What it prints, it prints to the console's out; errors are the caller's to print.
  virtual absl::Status Run(const Context& context) = 0;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_COMMAND_H_
