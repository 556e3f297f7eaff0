#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "absl/strings/string_view.h"

namespace kvbroker::cli {
namespace {

absl::string_view Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

WindowSize SizeOfOutput() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {.columns = size.ws_col, .rows = size.ws_row};
}

}  // namespace

Console ProcessConsole() {
  const absl::string_view term = Environment("TERM");
  const bool able = !term.empty() && term != "dumb";
  const bool live = able && isatty(STDOUT_FILENO) == 1;
  return {.out = std::cout,
          .err = std::cerr,
          .live = live,
          .err_live = able && isatty(STDERR_FILENO) == 1,
          .colour = live && Environment("NO_COLOR").empty() ? Colour::kAnsi : Colour::kNone,
          .size = SizeOfOutput};
}

}  // namespace kvbroker::cli
