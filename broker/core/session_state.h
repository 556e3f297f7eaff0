#ifndef KVBROKER_BROKER_CORE_SESSION_STATE_H_
#define KVBROKER_BROKER_CORE_SESSION_STATE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kvbroker {

// A session's life:
//
//   active ───────────► lost          its connection closed, its process lives
//   active, lost ─────► poisoned      the client reported a device error for good
//   any but gone ─────► draining      its process ended, it said goodbye, or it came back as a new session
//   draining ─────────► gone          nothing of it is out any more
//
// What it holds is charged in every state but gone.
enum class SessionState { kActive, kLost, kPoisoned, kDraining, kGone };

absl::string_view ToString(SessionState state);

// Moves `state` to `to`. FAILED_PRECONDITION names both states and changes nothing.
absl::Status Transition(SessionState& state, SessionState to);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_SESSION_STATE_H_
