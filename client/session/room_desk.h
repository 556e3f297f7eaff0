#ifndef KVBROKER_CLIENT_SESSION_ROOM_DESK_H_
#define KVBROKER_CLIENT_SESSION_ROOM_DESK_H_

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/bytes.h"
#include "proto/engine.pb.h"

namespace kvbroker {

// Where the embedder asks for room and waits, and the background thread says what the broker has answered.
//
//              Reserve               RoomReady
//   no room ────────────► asked for ───────────► ready ────► no room    Settle, or its time to live has passed
//      ▲                      │
//      └──────────────────────┘  refused, timed out, or the broker went away
//
// A session has one room at a time. One that is ready when the broker goes away is asked for again when it is back.
//
// Thread-safe. Only Reserve waits, and not for the background thread.
class RoomDesk {
 public:
  // `wake` makes the background thread call TakeOutgoing(), soon. It is not called from the background thread's part.
  explicit RoomDesk(std::function<void()> wake) : wake_(std::move(wake)) {}

  // --- The embedder's.

  // See Session::ReserveRoom and Session::SettleRoom.
  absl::Status Reserve(Bytes bytes, absl::Duration timeout, absl::Duration ttl) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Settle(Bytes actual) ABSL_LOCKS_EXCLUDED(mu_);

  // --- The background thread's.

  void BrokerBack() ABSL_LOCKS_EXCLUDED(mu_);
  void BrokerAway() ABSL_LOCKS_EXCLUDED(mu_);
  // The broker's answers. One to a request that nobody waits for any more changes nothing; Refused then returns false.
  void Ready(uint64_t request_id) ABSL_LOCKS_EXCLUDED(mu_);
  bool Refused(uint64_t request_id, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);
  // What is to be sent now, in order.
  std::vector<v1::ClientMessage> TakeOutgoing() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  enum class State { kNoRoom, kAskedFor, kReady };

  // In Reserve.
  struct Waiter {
    bool answered = false;
    absl::Status answer;
  };

  // From no room to asked for.
  absl::Status Ask(Bytes bytes, absl::Duration ttl, Waiter& waiter) ABSL_LOCKS_EXCLUDED(mu_);
  void AskLocked(absl::Duration ttl) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SettleLocked(Bytes actual) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AnswerLocked(State state, absl::Status answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A room whose time to live has passed was settled by the broker.
  void ExpireLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::function<void()> wake_;

  absl::Mutex mu_;
  bool away_ ABSL_GUARDED_BY(mu_) = true;
  State state_ ABSL_GUARDED_BY(mu_) = State::kNoRoom;
  uint64_t request_ ABSL_GUARDED_BY(mu_) = 0;  // the newest; grows
  Bytes bytes_ ABSL_GUARDED_BY(mu_);
  absl::Duration ttl_ ABSL_GUARDED_BY(mu_);
  absl::Time expires_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();  // in kReady
  Waiter* waiter_ ABSL_GUARDED_BY(mu_) = nullptr;                     // in kAskedFor
  std::vector<v1::ClientMessage> outgoing_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_SESSION_ROOM_DESK_H_
