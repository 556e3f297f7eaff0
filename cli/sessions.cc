// The sessions: which processes borrow, and how far each grant and return has come.
//
//   $ kvctl sessions
//   HOST-demo (host memory, 20 GiB): capacity 20.0 GiB
//
//   SESSION  TENANT   PID  STATE   GRANTED  IN FLIGHT  RETURNING   WANTED   TARGET        AGE  ENGINE  INSTANCE
//         1  chat    4711  active  8.0 GiB    512 MiB        0 B  9.0 GiB  8.0 GiB  1 h 2 min  vllm    chat-0

#include "cli/sessions.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "cli/format.h"
#include "cli/headline.h"
#include "cli/json.h"
#include "common/base/status.h"

namespace kvbroker::cli {

std::string RenderSessions(const admin::v1::Status& status, const admin::v1::ListSessionsResponse& sessions) {
  const std::string headline = absl::StrCat(Headline(status), "\n\n");
  if (sessions.sessions().empty()) return absl::StrCat(headline, "No sessions.\n");
  Table table({{"SESSION"},
               {"TENANT", Table::Align::kLeft},
               {"PID"},
               {"STATE", Table::Align::kLeft},
               {"GRANTED"},
               {"IN FLIGHT"},
               {"RETURNING"},
               {"WANTED"},
               {"TARGET"},
               {"AGE"},
               {"ENGINE", Table::Align::kLeft},
               {"INSTANCE", Table::Align::kLeft}});
  for (const admin::v1::Session& session : sessions.sessions()) {
    table.AddRow({absl::StrCat(session.session_id()), session.tenant(), absl::StrCat(session.pid()), session.state(),
                  FormatSize(session.granted()), FormatSize(session.in_flight()), FormatSize(session.returning()),
                  FormatSize(session.wanted()), session.target() == UINT64_MAX ? "none" : FormatSize(session.target()),
                  FormatDuration(session.age_ms()), session.engine(), session.instance_id()});
  }
  return absl::StrCat(headline, table.ToString());
}

Command::Text SessionsCommand::text() const {
  return {.name = "sessions",
          .what = "List the sessions: which processes borrow, and what each holds",
          .examples =
              "  kvctl sessions\n"
              "  kvctl sessions --json | jq '.sessions[] | {tenant, pid, granted}'\n"
              "GRANTED holds what is IN FLIGHT (granted, not yet imported) and RETURNING (given back, not\n"
              "yet seen as free). TARGET is the most the broker lets it hold.\n"};
}

absl::Status SessionsCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  KVB_ASSIGN_OR_RETURN(const admin::v1::ListSessionsResponse sessions,
                       broker.Ask(&admin::v1::Admin::Stub::ListSessions, admin::v1::ListSessionsRequest()));
  if (context.output == Output::kJson) {
    context.console.out << ToJson(sessions);
    return absl::OkStatus();
  }
  KVB_ASSIGN_OR_RETURN(const admin::v1::Status status,
                       broker.Ask(&admin::v1::Admin::Stub::GetStatus, admin::v1::GetStatusRequest()));
  context.console.out << RenderSessions(status, sessions);
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
