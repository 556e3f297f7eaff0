#include "cli/last_sessions.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/format.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

constexpr absl::Duration kBetweenLooks = absl::Milliseconds(200);
constexpr int kMostNamed = 5;

}  // namespace

std::string RenderLastSessions(const admin::v1::ListSessionsResponse& sessions) {
  const int count = sessions.sessions_size();
  std::string text = absl::StrCat(Count(static_cast<uint64_t>(count), "session"), count == 1 ? " is" : " are", " left");
  for (int i = 0; i < std::min(count, kMostNamed); ++i) {
    const admin::v1::Session& session = sessions.sessions(i);
    absl::StrAppend(&text, i == 0 ? ": " : ", ", session.session_id(), " (", session.tenant(), ", pid ", session.pid(),
                    session.state() == "active" ? "" : absl::StrCat(", ", session.state()), ")");
  }
  if (count > kMostNamed) absl::StrAppend(&text, " and ", count - kMostNamed, " more");
  return absl::StrCat(text, "\n");
}

absl::Status AwaitLastSession(const Connection& broker, const Console& console) {
  std::string said;
  while (true) {
    KVB_ASSIGN_OR_RETURN(const admin::v1::ListSessionsResponse sessions,
                         broker.Ask(&admin::v1::Admin::Stub::ListSessions, admin::v1::ListSessionsRequest()));
    if (sessions.sessions().empty()) return absl::OkStatus();
    const std::string left = RenderLastSessions(sessions);
    if (left != said) (console.err << left).flush();
    said = left;
    absl::SleepFor(kBetweenLooks);
  }
}

}  // namespace kvbroker::cli
