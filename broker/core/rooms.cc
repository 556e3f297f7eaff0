#include "broker/core/rooms.h"

#include <algorithm>
#include <utility>

namespace kvbroker {

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
  Room room = {.session = session, .request = request, .bytes = bytes, .ttl = ttl, .asked = now};
  if (Room* older = FindRoom(session)) {
    // What was taken of it is there, and nobody says how much that is.
    if (older->state == RoomState::kReady) LetGo(*older, older->bytes, now);
    room.claim = older->claim;
    room.own = older->own;
    Erase(session);
  }
  rooms_.push_back(std::move(room));
  Fill();
}

const Room* Rooms::Find(SessionId session) const {
  const auto it = std::find_if(rooms_.begin(), rooms_.end(), [&](const Room& r) { return r.session == session; });
  return it == rooms_.end() ? nullptr : &*it;
}

Room* Rooms::FindRoom(SessionId session) { return const_cast<Room*>(Find(session)); }

void Rooms::Erase(SessionId session) {
  rooms_.erase(std::remove_if(rooms_.begin(), rooms_.end(), [&](const Room& r) { return r.session == session; }),
               rooms_.end());
}

// ---------------------------------------------------------------- from ready on

bool Rooms::AnyGrows() const {
  return std::any_of(rooms_.begin(), rooms_.end(),
                     [](const Room& r) { return r.state == RoomState::kReady || r.claim.has_value(); }) ||
         std::any_of(leaving_.begin(), leaving_.end(), [](const Leaving& l) { return l.claim.has_value(); });
}

void Rooms::BecomeReady(Room& room, absl::Time now) {
  if (!AnyGrows()) {
    base_ = Bytes();
    // All that is there is in the base now, whosever it is.
    for (Leaving& leaving : leaving_) leaving.stays = true;
  }
  // What is more than the growth can be is not this one's either.
  base_ = std::max(base_, MinusOrZero(others_, Sizes()));
  room.state = RoomState::kReady;
  room.ready = now;
}

void Rooms::Settle(SessionId session, Bytes used, absl::Time now) {
  Room* room = FindRoom(session);
  if (room == nullptr || room->state == RoomState::kSettled) return;
  if (room->state == RoomState::kReady) LetGo(*room, used, now);
  room->state = RoomState::kSettled;
  room->used = used;
  Fill();
}

// What it took may not show yet. The next look may have begun before, the one after it shows it.
void Rooms::LetGo(Room& room, Bytes claim, absl::Time now) {
  looks_needed_ = 2;
  room.own += CountIn(room.claim);
  room.state = RoomState::kSettled;
  room.claim = {.bytes = claim, .room = room.bytes, .since = now};
}

Bytes Rooms::CountIn(std::optional<Room::Claim>& claim) {
  if (!claim.has_value()) return Bytes();
  const Bytes claimed = std::exchange(claim, std::nullopt)->bytes;
  const Bytes least = MinusOrZero(Growth(), Sizes());
  const Bytes own = std::max(std::min(claimed, MinusOrZero(HighestBase(), base_)), least);
  base_ += own;
  return own;
}

Bytes Rooms::TakeFromLeaving(Bytes most) {
  Bytes left = most;
  for (const bool stays : {false, true}) {
    for (Leaving& leaving : leaving_) {
      if (leaving.stays != stays) continue;
      const Bytes gone = std::min(leaving.bytes, left);
      leaving.bytes -= gone;
      left -= gone;
    }
  }
  return most - left;
}

void Rooms::ProcessEnded(SessionId session) {
  if (Room* room = FindRoom(session)) room->process_ended = true;
  for (Leaving& leaving : leaving_) {
    if (leaving.session == session) leaving.stays = false;
  }
}

void Rooms::Remove(SessionId session, absl::Time now) {
  Room* room = FindRoom(session);
  if (room == nullptr) return;
  // A fall is of what was claimed first.
  const absl::Time until = now + kVanishes;
  unseen_ += Unseen(*room);
  if (!room->own.IsZero() || room->claim.has_value()) {
    leaving_.push_back({session, room->own, std::exchange(room->claim, std::nullopt), until, !room->process_ended});
  }
  if (room->state == RoomState::kReady) {
    LetGo(*room, room->bytes, now);
    // What the next looks show was taken of this one, or so it seems; none of the others grew.
    leaving_.push_back({.session = session, .claim = room->claim, .until = until, .until_looked = true});
  }
  Erase(session);
  Fill();
}

void Rooms::Looked() {
  looks_needed_ = std::max(0, looks_needed_ - 1);
  if (looks_needed_ == 0) unseen_ = Bytes();
}

// ---------------------------------------------------------------- what the device shows

void Rooms::FollowOthers(Bytes others, absl::Time now) {
  const Bytes fallen = MinusOrZero(std::exchange(others_, others), others);
  base_ = MinusOrZero(base_, TakeFromLeaving(fallen));
  while (!leaving_.empty() && now >= leaving_.front().until) {
    Leaving left = leaving_.front();
    leaving_.pop_front();
    left.bytes += CountIn(left.claim);
    if (left.stays) continue;
    base_ = std::max(MinusOrZero(base_, left.bytes), MinusOrZero(others, Sizes()));
  }
  // Somebody who is in the base uses less; it may be any of these.
  const Bytes lower = MinusOrZero(base_, HighestBase());
  base_ -= lower;
  for (Room& room : rooms_) room.own = MinusOrZero(room.own, lower);
}

void Rooms::CloseClaims(absl::Time now) {
  const auto shows = [now](const std::optional<Room::Claim>& claim) {
    return claim.has_value() && (claim->seen >= claim->bytes || now - claim->since >= kLately);
  };
  for (Leaving& leaving : leaving_) {
    if (shows(leaving.claim) || (leaving.until_looked && !NeedsLook())) leaving.bytes += CountIn(leaving.claim);
  }
  for (Room& room : rooms_) {
    if (shows(room.claim)) room.own = std::min(room.own + CountIn(room.claim), others_);
  }
}

void Rooms::Fill() {
  Bytes growth = Growth();
  const auto take = [&growth](Bytes most) {
    const Bytes taken = std::min(most, growth);
    growth -= taken;
    return taken;
  };
  for (Leaving& leaving : leaving_) {
    if (leaving.claim.has_value()) leaving.claim->seen = take(leaving.claim->bytes);
  }
  for (Room& room : rooms_) {
    if (room.claim.has_value()) room.claim->seen = take(room.claim->bytes);
  }
  for (Room& room : rooms_) {
    if (room.state == RoomState::kReady) room.used = take(room.bytes);
  }
}

std::optional<Room> Rooms::Update(const Device& device, absl::Time now) {
  FollowOthers(device.others, now);
  Fill();
  for (Room& room : rooms_) {
    const bool over = room.ttl > absl::ZeroDuration() && now - room.ready >= room.ttl;
    if (room.state == RoomState::kReady && over) LetGo(room, room.bytes, now);
  }
  CloseClaims(now);
  Fill();
  for (Room& room : rooms_) {
    if (room.state != RoomState::kWaiting && room.state != RoomState::kMaking) continue;
    room.state = RoomState::kMaking;
    if (NeedsLook() || !Short(device).IsZero()) return std::nullopt;
    BecomeReady(room, now);
    return room;
  }
  return std::nullopt;
}

void Rooms::Extend(absl::Duration gap) {
  for (Room& room : rooms_) {
    room.asked += gap;
    room.ready += gap;
    if (room.claim.has_value()) room.claim->since += gap;
  }
  for (Leaving& leaving : leaving_) {
    leaving.until += gap;
    if (leaving.claim.has_value()) leaving.claim->since += gap;
  }
}

Bytes Rooms::HighestBase() const {
  Bytes sum = others_;
  for (const Leaving& leaving : leaving_) sum += leaving.bytes;
  return sum;
}

Bytes Rooms::Sizes() const {
  Bytes sum;
  for (const Room& room : rooms_) {
    if (room.state == RoomState::kReady) sum += room.bytes;
    if (room.claim.has_value()) sum += room.claim->bytes;
  }
  for (const Leaving& leaving : leaving_) {
    if (leaving.claim.has_value()) sum += leaving.claim->bytes;
  }
  return sum;
}

Bytes Rooms::Unseen(const Room& room) {
  Bytes sum;
  if (room.state == RoomState::kReady) sum += MinusOrZero(room.bytes, room.used);
  if (room.claim.has_value()) sum += MinusOrZero(std::min(room.claim->bytes, room.claim->room), room.claim->seen);
  return sum;
}

Bytes Rooms::Lacking() const {
  Bytes sum = unseen_;
  for (const Room& room : rooms_) sum += Unseen(room);
  return sum;
}

Bytes Rooms::HeldBack(const Device& device) const {
  Bytes sum = Lacking();
  for (const Room& room : rooms_) {
    if (room.state == RoomState::kMaking) sum += room.bytes;
  }
  return std::min(sum, device.free);
}

Bytes Rooms::Short(const Device& device) const {
  for (const Room& room : rooms_) {
    if (room.state == RoomState::kMaking) return MinusOrZero(room.bytes, MinusOrZero(device.free, Lacking()));
  }
  return Bytes();
}

}  // namespace kvbroker
