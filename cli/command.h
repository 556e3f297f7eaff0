#ifndef KVBROKER_CLI_COMMAND_H_
#define KVBROKER_CLI_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/connect.h"
#include "cli/console.h"

namespace CLI {
class App;
}

namespace kvbroker::cli {

enum ExitCode : int { kExitOk = 0, kExitFailed = 1, kExitUsage = 2 };

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
    std::string what;                       // one line
    std::string examples;                   // a session or two, each line indented by two
    std::vector<std::string> aliases = {};  // names it had before
  };

  virtual ~Command() = default;

  virtual Text text() const = 0;

  // Adds its own options and arguments to `app`, which fills them when it parses.
  virtual void Declare(CLI::App& app) {}

  // Whether what stands behind the first "--" is no argument of its own, but a command line to be taken as it is.
  virtual bool takes_rest() const { return false; }
  virtual void TakeRest(std::vector<std::string> rest) {}

  // INVALID_ARGUMENT names a value that makes no sense. Asks no broker.
  virtual absl::Status Check() { return absl::OkStatus(); }

  // REQUIRES: Check was OK. What it prints, it prints to the console's out; errors are the caller's to print.
  virtual absl::Status Run(const Context& context) = 0;

  // What the process is to exit with, where Run returned `done`.
  virtual int ExitCode(const absl::Status& done) const { return done.ok() ? kExitOk : kExitFailed; }
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_COMMAND_H_
