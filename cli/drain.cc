// Closes a broker to new sessions, and opens it again.
//
//   $ kvctl drain --wait
//   drained: no new sessions are admitted; 2 sessions go on
//   2 sessions are left: 3 (chat, pid 71), 4 (batch, pid 90)
//   1 session is left: 4 (batch, pid 90)
//   no session is left
//   $ kvctl drain --off
//   new sessions are admitted

#include "cli/drain.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "cli/connect.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/last_sessions.h"
#include "common/base/status.h"

namespace kvbroker::cli {

std::string RenderDrain(const admin::v1::DrainRequest& request, const admin::v1::DrainResponse& response) {
  if (request.off()) return "new sessions are admitted\n";
  return absl::StrCat("drained: no new sessions are admitted; ", Count(response.sessions(), "session"),
                      response.sessions() == 1 ? " goes on\n" : " go on\n");
}

Command::Text DrainCommand::text() const {
  return {
      .name = "drain",
      .what = "Admit no new sessions; those that there are go on",
      .examples =
          "  kvctl drain\n"
          "  kvctl drain --wait     until the last session has ended\n"
          "  kvctl drain --off      new sessions are admitted again\n"
          "A process that comes back (after a restart of the broker, say) is not new. It stays so over restarts of\n"
          "the broker, and ends with one of the machine, or with kvctl detach.\n"};
}

void DrainCommand::Declare(CLI::App& app) {
  app.add_flag("--off", off_, "Admit new sessions again");
  app.add_flag("--wait", wait_, "Return when no session is left");
}

absl::Status DrainCommand::Check() {
  if (!off_ || !wait_) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--off and --wait: while new sessions are admitted there is no last one to wait for");
}

absl::Status DrainCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  admin::v1::DrainRequest request;
  request.set_off(off_);
  KVB_ASSIGN_OR_RETURN(const admin::v1::DrainResponse response, broker.Ask(&admin::v1::Admin::Stub::Drain, request));
  const bool text = context.output == Output::kText;
  (context.console.out << (text ? RenderDrain(request, response) : ToJson(response))).flush();
  if (!wait_) return absl::OkStatus();
  KVB_RETURN_IF_ERROR(AwaitLastSession(broker, context.console));
  if (text) context.console.out << "no session is left\n";
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
