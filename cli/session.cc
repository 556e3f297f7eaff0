// A session: shows it, or gives it up.
//
//   $ kvctl session 7
//   session 7 of chat, lost: its process lives and is not connected; it may come back
//
//     process         4712  of user 1000, vllm 0.26; here for 3 min 4 s
//     holds        2.0 GiB  in 1 arena
//     …
//   $ kvctl session 7 --forget
//   session 7 is given up; of the 2.0 GiB it held, what is not back in 5 s counts as used by others

#include "cli/session.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "cli/connect.h"
#include "cli/format.h"
#include "cli/holding.h"
#include "cli/json.h"
#include "cli/policy_text.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

// Nothing where there is nothing to tell.
std::string SizeRow(absl::string_view name, uint64_t bytes, absl::string_view meaning) {
  return bytes == 0 ? "" : FigureRow(name, FormatSize(bytes), meaning);
}

absl::string_view Meaning(const admin::v1::Session& session) {
  if (session.state() == "active") return "its process is connected";
  if (session.state() == "lost") return "its process lives and is not connected; it may come back";
  if (session.state() == "poisoned") return "its process lives and cannot use the device any more";
  return "it has ended, and its memory is on its way back";
}

}  // namespace

std::string RenderSession(const admin::v1::Session& session) {
  const admin::v1::Holding& holding = session.holding();
  const std::string engine = session.engine().empty() ? "" : absl::StrCat(", ", session.engine());
  return absl::StrCat(
      "session ", session.session_id(), " of ", session.tenant(), ", ", session.state(), ": ", Meaning(session), "\n\n",
      FigureRow("process", absl::StrCat(session.pid()),
                absl::StrCat("of user ", session.uid(), engine, "; here for ", FormatDuration(session.age_ms()))),
      FigureRow("holds", FormatSize(session.granted()), absl::StrCat("in ", Count(session.arenas(), "arena"))),
      SizeRow("in flight", session.in_flight(), "of it: granted, and not imported yet"),
      SizeRow("returning", session.returning(), "of it: given back, and not seen as free yet"),
      SizeRow("pinned", holding.pinned(), "of it: not to be had"),
      SizeRow("in use", holding.preemptible() + holding.compactable(),
              "of it: by requests that could be put off, or moved"),
      SizeRow("cached", CachedBytes(holding), "of it: for requests that may come back"),
      SizeRow("free", FreeBytes(holding), "of it: given back at no cost"),
      FigureRow("wants", FormatSize(session.wanted()), "in all"),
      session.target() == UINT64_MAX
          ? ""
          : FigureRow(
                "target", FormatSize(session.target()),
                absl::StrCat("the most it may hold", session.over_target() ? "; it is late with giving back" : "")),
      SizeRow("outside", session.external(), "beside its arenas: weights and the like"),
      SizeRow("trimmable", session.trimmable(), "of that: could be let go of at once"),
      session.response_ms() == 0
          ? ""
          : FigureRow("answers in", FormatDeadline(session.response_ms()), "the slowest of the last 8 times"),
      session.missed_targets() == 0
          ? ""
          : FigureRow("missed", absl::StrCat(session.missed_targets()), "times it did not give back by the deadline"));
}

Command::Text SessionCommand::text() const {
  return {.name = "session",
          .what = "Show a session, or give up one whose process does not come back",
          .examples =
              "  kvctl session 7\n"
              "  kvctl session 7 --forget\n"
              "Only one that is lost or poisoned can be given up: its process lives, holds memory, and is not served.\n"
              "What it does not give back within 5 s counts as used by others from then on. Better, where it can be:\n"
              "end its process, and all of it comes back. Why it has no more: kvctl why.\n"};
}

void SessionCommand::Declare(CLI::App& app) {
  session_.Declare(app);
  app.add_flag("--forget", forget_, "Give it up");
}

absl::Status SessionCommand::Check() { return session_.Check(); }

absl::Status SessionCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  const bool json = context.output == Output::kJson;
  if (forget_) {
    admin::v1::ForgetSessionRequest request;
    request.set_session_id(session_.id());
    KVB_ASSIGN_OR_RETURN(const admin::v1::ForgetSessionResponse response,
                         broker.Ask(&admin::v1::Admin::Stub::ForgetSession, request));
    context.console.out << (json ? ToJson(response)
                                 : absl::StrCat("session ", session_.id(), " is given up; of the ",
                                                FormatSize(response.held()),
                                                " it held, what is not back in 5 s counts as used by others\n"));
    return absl::OkStatus();
  }
  KVB_ASSIGN_OR_RETURN(const admin::v1::ListSessionsResponse sessions,
                       broker.Ask(&admin::v1::Admin::Stub::ListSessions, admin::v1::ListSessionsRequest()));
  for (const admin::v1::Session& session : sessions.sessions()) {
    if (session.session_id() != session_.id()) continue;
    context.console.out << (json ? ToJson(session) : RenderSession(session));
    return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat("no session ", session_.id()));
}

}  // namespace kvbroker::cli
