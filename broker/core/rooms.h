#ifndef KVBROKER_BROKER_CORE_ROOMS_H_
#define KVBROKER_BROKER_CORE_ROOMS_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace kvbroker {

//   waiting ─► making     it is its turn: what is free and what is given back goes to it
//   making ──► ready      so much is free: the client may allocate
//   ready ───► settled    the client has allocated, or its time is over; what is left is everybody's again
//
// One room is made and filled at a time, in the order of asking: two programs that start at once would each take what
// was freed for the other.
enum class RoomState { kWaiting, kMaking, kReady, kSettled };

absl::string_view ToString(RoomState state);

// Memory outside the broker that it keeps free for a session.
struct Room {
  SessionId session;
  uint64_t request = 0;
  Bytes bytes;
  absl::Duration ttl;  // from ready; 0: to the session's end
  RoomState state = RoomState::kWaiting;
  absl::Time asked;
  absl::Time ready;
  Bytes others_before;  // what programs outside used when it was ready
  Bytes used;           // of the room, as far as the device shows; of a settled one what the client said
};

// All rooms, oldest first; at most one of a session. Plain values, no I/O. Thread-compatible.
class Rooms {
 public:
  // What the device shows now.
  struct Device {
    Bytes free;           // of the broker's to give: headroom and what is granted and not made are taken off
    Bytes others;         // used by programs outside at the most, since FilledSince()
    Bytes others_before;  // the same lately: where a room becomes ready, all of it counts as there before
  };

  // A room that nearly is full, or had so long to be, does not keep the next one waiting.
  static constexpr absl::Duration kFillingTakes = absl::Seconds(60);

  void Add(SessionId session, uint64_t request, Bytes bytes, absl::Duration ttl, absl::Time now);
  // Null where the session has none.
  const Room* Find(SessionId session) const;
  void Settle(SessionId session, Bytes used);
  void Remove(SessionId session);

  // The device has been looked at.
  void Looked();
  // What a room took that is gone now has not been seen yet: another look is needed before the next one is ready.
  bool NeedsLook() const { return looks_needed_ > 0; }

  // When the room that is being filled became ready; infinite past: there is none.
  absl::Time FilledSince() const;
  // Brings all up to date; returns the room that became ready, for which the client waits.
  std::optional<Room> Update(const Device& device, absl::Time now);
  void Extend(absl::Duration gap);

  // What nobody else may be granted, though it is free.
  Bytes HeldBack(const Device& device) const;
  // What the room that is being made lacks still.
  Bytes Short(const Device& device) const;

  const std::deque<Room>& all() const { return rooms_; }

 private:
  static Bytes Unfilled(const Room& room) { return MinusOrZero(room.bytes, room.used); }

  void LetGoOf(const Room& room);

  std::deque<Room> rooms_;
  int looks_needed_ = 0;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_ROOMS_H_
