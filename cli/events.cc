// What happened lately and why, and what happens.
//
//   $ kvctl events
//   2026-11-27 22:30:04.117          session opened session=3 tenant=chat pid=4712 uid=1000 engine='vllm 0.26' held=0
//   2026-11-27 22:30:04.121          granted session=3 lease=5 slots_since_opening=1
//   2026-11-27 22:31:10.008          target session=3 max=1073741824 within=1s: tenant jobs's share
//   2026-11-27 22:31:11.010 warning  target missed session=3 tenant=chat pid=4712 held=2147483648 target=1073741824 ...

#include "cli/events.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "cli/json.h"
#include "common/base/status.h"

namespace kvbroker::cli {

std::string RenderEvent(const admin::v1::BrokerEvent& event, absl::TimeZone zone) {
  const absl::Time at = absl::FromUnixMillis(static_cast<int64_t>(event.time_ms()));
  return absl::StrCat(absl::FormatTime("%Y-%m-%d %H:%M:%E3S", at, zone), event.warning() ? " warning  " : "          ",
                      event.text(), "\n");
}

Command::Text EventsCommand::text() const {
  return {.name = "events",
          .what = "Show what happened lately and why: sessions, grants, targets, promises",
          .examples =
              "  kvctl events                     what the broker remembers, the newest 4,096\n"
              "  kvctl events --follow            and what happens from now on, until interrupted\n"
              "  kvctl events --json | jq -r 'select(.warning) | .text'\n"
              "Warnings are in the journal as well: journalctl -u 'kvbrokerd@*'. Grants and targets are here alone.\n"};
}

void EventsCommand::Declare(CLI::App& app) { app.add_flag("-f,--follow", follow_, "Go on with what happens"); }

absl::Status EventsCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  admin::v1::EventsRequest request;
  request.set_follow(follow_);
  grpc::ClientContext call;
  if (!follow_) broker.SetDeadline(call);
  const auto reader = broker.stub().Events(&call, request);
  admin::v1::EventBatch batch;
  while (reader->Read(&batch)) {
    for (const admin::v1::BrokerEvent& event : batch.events()) {
      context.console.out << (context.output == Output::kJson ? ToJson(event, JsonShape::kOneLine)
                                                              : RenderEvent(event, absl::LocalTimeZone()));
    }
    context.console.out.flush();
  }
  const grpc::Status status = reader->Finish();
  return status.ok() ? absl::OkStatus() : broker.Explain(status);
}

}  // namespace kvbroker::cli
