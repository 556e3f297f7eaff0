#include "cli/session_argument.h"

#include <CLI/CLI.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace kvbroker::cli {

void SessionArgument::Declare(CLI::App& app) {
  app.add_option("SESSION", text_, "Its number, as kvctl sessions shows it")->required()->type_name("");
}

absl::Status SessionArgument::Check() {
  if (absl::SimpleAtoi(text_, &id_) && id_ > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", text_, "' is no number of a session, as kvctl sessions shows them"));
}

}  // namespace kvbroker::cli
