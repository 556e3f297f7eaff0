#ifndef KVBROKER_CLI_SIGNALS_H_
#define KVBROKER_CLI_SIGNALS_H_

#include <signal.h>

#include "common/base/unique_fd.h"

namespace kvbroker::cli {

// The signals that a command with a screen must answer itself, taken one by one instead of interrupting it: the window
// has a new size, the user suspends it, or it is to end. From its making to its end they are blocked in this thread and
// in those that it starts: make it before any other thread. Thread-bound.
class Signals {
 public:
  enum class Event { kNone, kResized, kSuspend, kEnd };

  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Does not wait.
  Event Take();

 private:
  sigset_t before_;
  UniqueFd fd_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_SIGNALS_H_
