// The sessions: which processes borrow, and how far each grant and return has come.
//
//   $ kvctl sessions
//   HOST-demo (host memory, 24 GiB): capacity 20.0 GiB
//
//   SESSION  TENANT   PID  STATE   GRANTED   WANTED   TARGET     FREE   CACHED        AGE  ENGINE  INSTANCE
//         1  chat    4711  active  8.0 GiB  9.0 GiB  8.0 GiB  512 MiB  2.0 GiB  1 h 2 min  vllm    chat-0

#include "cli/sessions.h"

#include <CLI/CLI.hpp>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "cli/format.h"
#include "cli/headline.h"
#include "cli/holding.h"
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
               {"WANTED"},
               {"TARGET"},
               {"FREE", Table::Align::kRight, true},
               {"CACHED", Table::Align::kRight, true},
               {"IN FLIGHT", Table::Align::kRight, true},
               {"RETURNING", Table::Align::kRight, true},
               {"OUTSIDE", Table::Align::kRight, true},
               {"TRIMMABLE", Table::Align::kRight, true},
               {"MISSED", Table::Align::kRight, true},
               {"AGE"},
               {"ENGINE", Table::Align::kLeft, true},
               {"INSTANCE", Table::Align::kLeft, true}});
  for (const admin::v1::Session& session : sessions.sessions()) {
    table.AddRow({absl::StrCat(session.session_id()), session.tenant(), absl::StrCat(session.pid()), session.state(),
                  FormatSize(session.granted()), FormatSize(session.wanted()),
                  session.target() == UINT64_MAX ? "none" : FormatSize(session.target()),
                  FormatSize(FreeBytes(session.holding())), FormatSize(CachedBytes(session.holding())),
                  FormatSize(session.in_flight()), FormatSize(session.returning()), FormatSize(session.external()),
                  FormatSize(session.trimmable()),
                  absl::StrCat(session.missed_targets(), session.over_target() ? ", late" : ""),
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
              "GRANTED holds all the others: FREE (empty, given back at no cost), CACHED (for requests that may\n"
              "come back), IN FLIGHT (granted, not yet imported) and RETURNING (given back, not yet seen as free).\n"
              "OUTSIDE is what its process holds beside that (weights and the like); TRIMMABLE, of it, what it could\n"
              "let go of at once.\n"
              "TARGET is the most the broker lets it hold, MISSED how often it did not give back in time; 'late' if\n"
              "it still has not. Columns with nothing in them are left out. Why it has no more: kvctl why.\n"};
}

void SessionsCommand::Declare(CLI::App& app) { app.add_flag("--ids", ids_only_, "Numbers alone")->group(""); }

absl::Status SessionsCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  KVB_ASSIGN_OR_RETURN(const admin::v1::ListSessionsResponse sessions,
                       broker.Ask(&admin::v1::Admin::Stub::ListSessions, admin::v1::ListSessionsRequest()));
  if (context.output == Output::kJson) {
    context.console.out << ToJson(sessions);
    return absl::OkStatus();
  }
  if (ids_only_) {
    for (const admin::v1::Session& session : sessions.sessions()) context.console.out << session.session_id() << "\n";
    return absl::OkStatus();
  }
  KVB_ASSIGN_OR_RETURN(const admin::v1::Status status,
                       broker.Ask(&admin::v1::Admin::Stub::GetStatus, admin::v1::GetStatusRequest()));
  context.console.out << RenderSessions(status, sessions);
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
