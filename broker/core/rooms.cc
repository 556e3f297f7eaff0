#include "broker/core/rooms.h"

#include <algorithm>

namespace kvbroker {
namespace {

bool IsNearlyFull(const Room& room) { return room.used >= room.bytes - Bytes(room.bytes.in_bytes() / 20); }

}  // namespace

absl::string_view ToString(RoomState state) {
  switch (state) {
    case RoomState::kWaiting:
      return "waiting";
    case RoomState::kMaking:
      return "making";
    case RoomState::kReady:
      return "ready";
    case RoomState::kSettled:
      return "settled";
  }
  return "unknown";
}

void Rooms::Add(SessionId session, uint64_t request, Bytes bytes, absl::Duration ttl, absl::Time now) {
  Remove(session);
  rooms_.push_back({.session = session, .request = request, .bytes = bytes, .ttl = ttl, .asked = now});
}

const Room* Rooms::Find(SessionId session) const {
  const auto it = std::find_if(rooms_.begin(), rooms_.end(), [&](const Room& r) { return r.session == session; });
  return it == rooms_.end() ? nullptr : &*it;
}

void Rooms::Settle(SessionId session, Bytes used) {
  for (Room& room : rooms_) {
    if (room.session != session) continue;
    LetGoOf(room);
    room.state = RoomState::kSettled;
    room.used = used;
  }
}

// What it took may not show yet. The next look may have begun before, the one after it shows it.
void Rooms::LetGoOf(const Room& room) {
  if (room.state == RoomState::kReady) looks_needed_ = 2;
}

void Rooms::Looked() { looks_needed_ = std::max(0, looks_needed_ - 1); }

absl::Time Rooms::FilledSince() const {
  for (auto room = rooms_.rbegin(); room != rooms_.rend(); ++room) {
    if (room->state == RoomState::kReady) return room->ready;
  }
  return absl::InfinitePast();
}

void Rooms::Remove(SessionId session) {
  if (const Room* room = Find(session)) LetGoOf(*room);
  rooms_.erase(std::remove_if(rooms_.begin(), rooms_.end(), [&](const Room& r) { return r.session == session; }),
               rooms_.end());
}

std::optional<Room> Rooms::Update(const Device& device, absl::Time now) {
  // The newest ready one is being filled: what others use more since then is its. Older ones keep their figures.
  for (auto room = rooms_.rbegin(); room != rooms_.rend(); ++room) {
    if (room->state != RoomState::kReady) continue;
    room->used = std::min(MinusOrZero(device.others, room->others_before), room->bytes);
    break;
  }
  for (Room& room : rooms_) {
    const bool over = room.ttl > absl::ZeroDuration() && now - room.ready >= room.ttl;
    if (room.state != RoomState::kReady || !over) continue;
    LetGoOf(room);
    room.state = RoomState::kSettled;
  }
  for (Room& room : rooms_) {
    if (room.state == RoomState::kSettled) continue;
    if (room.state == RoomState::kReady && (IsNearlyFull(room) || now - room.ready >= kFillingTakes)) continue;
    if (room.state == RoomState::kWaiting) room.state = RoomState::kMaking;
    break;
  }
  for (Room& room : rooms_) {
    if (room.state != RoomState::kMaking) continue;
    if (NeedsLook() || !Short(device).IsZero()) return std::nullopt;
    room.state = RoomState::kReady;
    room.ready = now;
    room.others_before = device.others_before;
    return room;
  }
  return std::nullopt;
}

void Rooms::Extend(absl::Duration gap) {
  for (Room& room : rooms_) {
    room.asked += gap;
    room.ready += gap;
  }
}

Bytes Rooms::HeldBack(const Device& device) const {
  Bytes sum;
  for (const Room& room : rooms_) {
    if (room.state == RoomState::kReady || room.state == RoomState::kMaking) sum += Unfilled(room);
  }
  return std::min(sum, device.free);
}

Bytes Rooms::Short(const Device& device) const {
  Bytes ready;
  for (const Room& room : rooms_) {
    if (room.state == RoomState::kReady) ready += Unfilled(room);
  }
  for (const Room& room : rooms_) {
    if (room.state == RoomState::kMaking) return MinusOrZero(room.bytes, MinusOrZero(device.free, ready));
  }
  return Bytes();
}

}  // namespace kvbroker
