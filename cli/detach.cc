// Has a broker let go of its device.
//
//   $ kvctl detach --wait
//   1 session is left: 4 (batch, pid 90)
//   GPU-5f0c…: its broker has ended, and nothing of it is on the device

#include "cli/detach.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "cli/json.h"
#include "cli/last_sessions.h"
#include "common/base/status.h"

namespace kvbroker::cli {

Command::Text DetachCommand::text() const {
  return {.name = "detach",
          .what = "Let go of the device, for its maintenance: the broker ends",
          .examples =
              "  kvctl detach            where no session is left\n"
              "  kvctl detach --wait     admit no new sessions, wait for the last one to end, then let go\n"
              "Under systemd it is not started again by itself: systemctl start kvbrokerd@0. The next broker admits\n"
              "sessions, drained before or not. Sessions end with their processes; who they are: kvctl sessions.\n"};
}

void DetachCommand::Declare(CLI::App& app) {
  app.add_flag("--wait", wait_, "Drain it first, and wait until no session is left");
}

absl::Status DetachCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  KVB_ASSIGN_OR_RETURN(const admin::v1::Status status,
                       broker.Ask(&admin::v1::Admin::Stub::GetStatus, admin::v1::GetStatusRequest()));
  if (wait_) {
    KVB_RETURN_IF_ERROR(broker.Ask(&admin::v1::Admin::Stub::Drain, admin::v1::DrainRequest()).status());
    KVB_RETURN_IF_ERROR(AwaitLastSession(broker, context.console));
  }
  KVB_ASSIGN_OR_RETURN(const admin::v1::DetachResponse response,
                       broker.Ask(&admin::v1::Admin::Stub::Detach, admin::v1::DetachRequest()));
  context.console.out << (context.output == Output::kJson
                              ? ToJson(response)
                              : absl::StrCat(status.device_uuid(),
                                             ": its broker has ended, and nothing of it is on the device\n"));
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
