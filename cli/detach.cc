// Has a broker let go of its device.
//
//   $ kvctl detach --wait
//   1 session is left: 4 (batch, pid 90)
//   GPU-5f0c…: its broker has ended, and nothing of it is on the device

#include "cli/detach.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/connect.h"
#include "cli/json.h"
#include "cli/last_sessions.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

constexpr absl::Duration kEndsWithin = absl::Seconds(10);
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(20);

// The broker has answered, and holds the device until its process is gone. One in another pid namespace is not seen.
absl::Status AwaitEnd(int64_t pid) {
  const absl::Time deadline = absl::Now() + kEndsWithin;
  std::string name;
  while (std::getline(std::ifstream(absl::StrCat("/proc/", pid, "/comm")), name) && name == "kvbrokerd") {
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat("the broker has no sessions and is ending, and its process, ",
                                                      pid, ", is still there after ",
                                                      absl::FormatDuration(kEndsWithin)));
    }
    absl::SleepFor(kBetweenLooks);
  }
  return absl::OkStatus();
}

}  // namespace

Command::Text DetachCommand::text() const {
  return {.name = "detach",
          .what = "Let go of the device, for its maintenance: the broker ends",
          .examples =
              "  kvctl detach            where no session is left\n"
              "  kvctl detach --wait     admit no new sessions, wait for the last one to end, then let go\n"
              "Under systemd it is not started again by itself, but by kvbrokerd@….socket where that listens:\n"
              "stop it first. systemctl start kvbrokerd@0 begins anew, and admits sessions. Sessions end with\n"
              "their processes; who they are: kvctl sessions. A --wait that is interrupted leaves the broker\n"
              "drained.\n"};
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
  KVB_RETURN_IF_ERROR(AwaitEnd(status.pid()));
  context.console.out << (context.output == Output::kJson
                              ? ToJson(response)
                              : absl::StrCat(status.device_uuid(),
                                             ": its broker has ended, and nothing of it is on the device\n"));
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
