#include "client/session/room_desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

// As the message has it; 0: at the session's end.
uint32_t TtlMs(absl::Duration ttl) {
  if (ttl == absl::InfiniteDuration()) return 0;
  const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(ttl, absl::Milliseconds(1)));
  return static_cast<uint32_t>(std::min<int64_t>(ms, UINT32_MAX));
}

}  // namespace

absl::Status RoomDesk::Reserve(Bytes bytes, absl::Duration timeout, absl::Duration ttl) {
  if (bytes.IsZero()) return absl::InvalidArgumentError("room of 0 bytes");
  if (ttl < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("a time to live of ", absl::FormatDuration(ttl)));
  }
  Waiter waiter;
  KVB_RETURN_IF_ERROR(Ask(bytes, ttl == absl::ZeroDuration() ? absl::InfiniteDuration() : ttl, waiter));
  wake_();
  {
    absl::MutexLock lock(&mu_);
    if (mu_.AwaitWithTimeout(absl::Condition(&waiter.answered), timeout)) return waiter.answer;
    waiter_ = nullptr;
    SettleLocked(Bytes());
  }
  wake_();
  return absl::DeadlineExceededError(
      absl::StrCat("room of ", ToString(bytes), " was not ready after ", absl::FormatDuration(timeout)));
}

absl::Status RoomDesk::Ask(Bytes bytes, absl::Duration ttl, Waiter& waiter) {
  absl::MutexLock lock(&mu_);
  ExpireLocked();
  if (state_ != State::kNoRoom) {
    return absl::FailedPreconditionError(absl::StrCat("room of ", ToString(bytes_), " is ",
                                                      state_ == State::kReady ? "ready and not settled" : "asked for",
                                                      ": a session has one room at a time"));
  }
  if (away_) return absl::UnavailableError("the broker is away: it makes no room until it is back");
  state_ = State::kAskedFor;
  ++request_;
  bytes_ = bytes;
  ttl_ = ttl;
  waiter_ = &waiter;
  AskLocked(ttl);
  return absl::OkStatus();
}

absl::Status RoomDesk::Settle(Bytes actual) {
  {
    absl::MutexLock lock(&mu_);
    ExpireLocked();
    if (state_ != State::kReady) {
      return absl::FailedPreconditionError(state_ == State::kAskedFor
                                               ? absl::StrCat("room of ", ToString(bytes_), " is asked for, not ready")
                                               : "there is no room to settle");
    }
    SettleLocked(actual);
  }
  wake_();
  return absl::OkStatus();
}

void RoomDesk::BrokerBack() {
  absl::MutexLock lock(&mu_);
  away_ = false;
  ExpireLocked();
  if (state_ == State::kReady) AskLocked(expires_ - MonotonicNow());
}

void RoomDesk::BrokerAway() {
  absl::MutexLock lock(&mu_);
  away_ = true;
  outgoing_.clear();
  if (state_ == State::kAskedFor) {
    AnswerLocked(State::kNoRoom, absl::UnavailableError("the broker went away before there was room"));
  }
}

void RoomDesk::Ready(uint64_t request_id) {
  absl::MutexLock lock(&mu_);
  if (state_ != State::kAskedFor || request_id != request_) return;
  expires_ = MonotonicNow() + ttl_;
  AnswerLocked(State::kReady, absl::OkStatus());
}

bool RoomDesk::Refused(uint64_t request_id, const absl::Status& why) {
  absl::MutexLock lock(&mu_);
  if (state_ != State::kAskedFor || request_id != request_) return false;
  AnswerLocked(State::kNoRoom, why);
  return true;
}

std::vector<v1::ClientMessage> RoomDesk::TakeOutgoing() {
  absl::MutexLock lock(&mu_);
  return std::exchange(outgoing_, {});
}

void RoomDesk::AskLocked(absl::Duration ttl) {
  v1::ReserveExternal& ask = *outgoing_.emplace_back().mutable_reserve_external();
  ask.set_request_id(request_);
  ask.set_bytes(bytes_.in_bytes());
  ask.set_ttl_ms(TtlMs(ttl));
}

void RoomDesk::SettleLocked(Bytes actual) {
  state_ = State::kNoRoom;
  if (away_) return;  // it has forgotten the room, and has nothing to settle
  v1::ExternalSettled& settled = *outgoing_.emplace_back().mutable_external_settled();
  settled.set_request_id(request_);
  settled.set_bytes(actual.in_bytes());
}

void RoomDesk::AnswerLocked(State state, absl::Status answer) {
  state_ = state;
  waiter_->answered = true;
  waiter_->answer = std::move(answer);
  waiter_ = nullptr;
}

void RoomDesk::ExpireLocked() {
  if (state_ == State::kReady && MonotonicNow() >= expires_) state_ = State::kNoRoom;
}

}  // namespace kvbroker
