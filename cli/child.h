#ifndef KVBROKER_CLI_CHILD_H_
#define KVBROKER_CLI_CHILD_H_

#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/unique_fd.h"

namespace kvbroker::cli {

// The file that a command line's first word means, as a shell finds it: by $PATH where it has no '/'.
// NOT_FOUND: there is none. PERMISSION_DENIED: it is there, and may not be run.
absl::StatusOr<std::string> FindProgram(const std::string& word);

// A program that runs in this one's place: with its terminal, its standard streams and its signals. Those that end
// programs (SIGINT, SIGTERM, SIGHUP, SIGQUIT) are for the child; until there is one they are ours. Both are in one
// process group: what the terminal sends reaches the child without us and is not passed on, and both stop and go on
// together.
//
// From its making to its end the signals are blocked in this thread and those it starts: make it before any other
// thread. Thread-bound.
class Child {
 public:
  Child();
  ~Child();  // the child runs on where it has not ended
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Readable when a signal has come, or the child has ended.
  int fd() const { return fd_.get(); }

  // Does not return where a signal has come that ends programs: it ends this process as if nobody had blocked it.
  // Calls `last` before. REQUIRES: no child was started.
  template <typename Last>
  void DieOfSignals(Last last) {
    if (const std::optional<int> signal = TakeSignal(); signal.has_value()) {
      last();
      DieOf(*signal);
    }
  }

  // Starts `program` with `words`, of which the first is its name. NOT_FOUND, PERMISSION_DENIED: it cannot be run.
  absl::Status Start(const std::string& program, const std::vector<std::string>& words);

  // Passes signals on until the child ends. Returns what it exited with, or 128 + the signal that ended it.
  // REQUIRES: it was started.
  int Wait();

 private:
  std::optional<int> TakeSignal();
  [[noreturn]] void DieOf(int signal);

  sigset_t before_;    // the mask
  sigset_t defaults_;  // signals whose default the child gets
  UniqueFd fd_;
  pid_t pid_ = -1;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_CHILD_H_
