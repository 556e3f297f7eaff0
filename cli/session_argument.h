#ifndef KVBROKER_CLI_SESSION_ARGUMENT_H_
#define KVBROKER_CLI_SESSION_ARGUMENT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "cli/command.h"

namespace kvbroker::cli {

// The session that a command is about, as every command that takes one declares it.
class SessionArgument {
 public:
  void Declare(CLI::App& app);
  // INVALID_ARGUMENT names what is no number of a session.
  absl::Status Check();

  // REQUIRES: Check was OK.
  uint64_t id() const { return id_; }

 private:
  std::string text_;
  uint64_t id_ = 0;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_SESSION_ARGUMENT_H_
