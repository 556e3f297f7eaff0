#include "broker/core/session_state.h"

#include "absl/strings/str_cat.h"

namespace kvbroker {
namespace {

bool Allowed(SessionState from, SessionState to) {
  switch (to) {
    case SessionState::kActive:
      return false;
    case SessionState::kLost:
      return from == SessionState::kActive;
    case SessionState::kPoisoned:
      return from == SessionState::kActive || from == SessionState::kLost;
    case SessionState::kDraining:
      return from == SessionState::kActive || from == SessionState::kLost || from == SessionState::kPoisoned;
    case SessionState::kGone:
      return from == SessionState::kDraining;
  }
  return false;
}

}  // namespace

absl::string_view ToString(SessionState state) {
  switch (state) {
    case SessionState::kActive:
      return "active";
    case SessionState::kLost:
      return "lost";
    case SessionState::kPoisoned:
      return "poisoned";
    case SessionState::kDraining:
      return "draining";
    case SessionState::kGone:
      return "gone";
  }
  return "?";
}

absl::Status Transition(SessionState& state, SessionState to) {
  if (!Allowed(state, to)) {
    return absl::FailedPreconditionError(
        absl::StrCat("a session that is ", ToString(state), " cannot become ", ToString(to)));
  }
  state = to;
  return absl::OkStatus();
}

}  // namespace kvbroker
