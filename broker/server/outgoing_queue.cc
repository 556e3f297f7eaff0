#include "broker/server/outgoing_queue.h"

#include <algorithm>
#include <utility>

namespace kvbroker {
namespace {

uint64_t LeaseOf(const v1::BrokerMessage& message) {
  switch (message.body_case()) {
    case v1::BrokerMessage::kArenaOpened:
      return message.arena_opened().lease_id();
    case v1::BrokerMessage::kGrant:
      return message.grant().lease_id();
    case v1::BrokerMessage::kRevoke:
      return message.revoke().lease_id();
    default:
      return 0;
  }
}

bool IsLevel(const v1::BrokerMessage& message) {
  switch (message.body_case()) {
    case v1::BrokerMessage::kTarget:
    case v1::BrokerMessage::kPolicyChanged:
    case v1::BrokerMessage::kBrokerState:
    case v1::BrokerMessage::kArenaOpened:
    case v1::BrokerMessage::kGrant:
    case v1::BrokerMessage::kRevoke:
    case v1::BrokerMessage::kRoomReady:
    case v1::BrokerMessage::kTrim:
      return true;
    default:
      return false;
  }
}

// Whether `newer` says all that `older` said.
bool Replaces(const v1::BrokerMessage& newer, const v1::BrokerMessage& older) {
  return IsLevel(newer) && newer.body_case() == older.body_case() && LeaseOf(newer) == LeaseOf(older);
}

}  // namespace

void OutgoingQueue::Add(v1::BrokerMessage message) {
  if (message.has_arena_opened()) ForgetArena(message.arena_opened().arena_id());
  const auto older =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return Replaces(message, e.message); });
  if (older != entries_.end() && !older->said) {
    older->message = std::move(message);
    return;
  }
  if (older != entries_.end()) entries_.erase(older);
  entries_.push_back({.message = std::move(message)});
  DropNoticesBeyondBound();
}

std::optional<v1::BrokerMessage> OutgoingQueue::Take() {
  const auto next = std::find_if(entries_.begin(), entries_.end(), [](const Entry& e) { return !e.said; });
  if (next == entries_.end()) return std::nullopt;
  if (IsKept(next->message)) {
    next->said = true;
    return next->message;
  }
  v1::BrokerMessage message = std::move(next->message);
  entries_.erase(next);
  return message;
}

void OutgoingQueue::StartAnew() {
  for (Entry& entry : entries_) entry.said = false;
}

void OutgoingQueue::ForgetArena(uint64_t arena) {
  const auto opened = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) {
    return e.message.has_arena_opened() && e.message.arena_opened().arena_id() == arena;
  });
  if (opened == entries_.end()) return;
  const uint64_t lease = LeaseOf(opened->message);
  entries_.remove_if([&](const Entry& e) { return LeaseOf(e.message) == lease; });
}

bool OutgoingQueue::IsKept(const v1::BrokerMessage& message) const {
  if (!IsLevel(message)) return false;
  const uint64_t lease = LeaseOf(message);
  return lease == 0 || std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) {
           return e.message.has_arena_opened() && LeaseOf(e.message) == lease;
         });
}

void OutgoingQueue::DropNoticesBeyondBound() {
  const auto is_notice = [](const Entry& e) { return !IsLevel(e.message); };
  if (std::count_if(entries_.begin(), entries_.end(), is_notice) <= kMostNotices) return;
  entries_.erase(std::find_if(entries_.begin(), entries_.end(), is_notice));
}

}  // namespace kvbroker
