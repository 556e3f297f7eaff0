#ifndef KVBROKER_CLI_CONSOLE_H_
#define KVBROKER_CLI_CONSOLE_H_

#include <cstddef>
#include <functional>
#include <ostream>

#include "cli/format.h"

namespace kvbroker::cli {

struct WindowSize {
  size_t columns = 80;
  size_t rows = 24;
};

// Where a command writes, and what it may do there. The streams are not owned and must outlive this.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool live = false;      // out is a terminal that can be redrawn in place
  bool err_live = false;  // err is one
  Colour colour = Colour::kNone;
  std::function<WindowSize()> size = [] { return WindowSize(); };
};

// The process's own: standard output and standard error, NO_COLOR and TERM as they are set.
Console ProcessConsole();

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_CONSOLE_H_
