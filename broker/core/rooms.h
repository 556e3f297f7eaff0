#ifndef KVBROKER_BROKER_CORE_ROOMS_H_
#define KVBROKER_BROKER_CORE_ROOMS_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace kvbroker {

//   waiting ─► making     it is its turn: what is free and what is given back goes to it
//   making ──► ready      so much is free, on top of what the ready ones lack: the client may allocate
//   ready ───► settled    the client has allocated, or its time is over; what is left is everybody's again
//
// One room is made at a time, in the order of asking: what was freed for one is not promised to another. Any number are
// ready, and are filled side by side.
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
  Bytes used;  // of the room, as far as the device shows; of a settled one what the client said

  // --- For Rooms.

  // What was taken of a room that is ready no more, until looks have shown it.
  struct Claim {
    Bytes bytes;  // where nobody said: the room's
    Bytes room;
    absl::Time since;
    Bytes seen;
  };
  std::optional<Claim> claim;
  Bytes own;  // what this session's claims were when they had been seen
  bool process_ended = false;
};

// All rooms, oldest first; at most one of a session. Plain values, no I/O. Thread-compatible.
//
// The device does not say who uses how much, only what all programs outside use. So the rooms that are ready share one
// growth: what is used beyond a base, which is what was used when the first of them became ready. What they lack in sum is
// right, whichever of them it is that grew; the growth fills the oldest first, and none with more than its bytes.
//
//   base ────────────────────────────────┬─ claims ─┬─ oldest ready ─┬─ next ─┬─ ...    what programs outside use
//     everybody else, settled and ended     unseen     used             used
//
// * What a settled room's client says it took is a claim. It becomes a part of the base when looks have shown as much, or
//   after kLately: not more than is there, and not less than what cannot be the others'. Until then it is held back. Where
//   nobody says, it is what the room has, so that the others look no fuller than they are.
// * Of a room whose session ends while it is ready nobody says what was taken: until the device has been looked at, growth
//   is its. Until then, what a look has not shown of an ended session's room is held back, settled or not.
// * What a session's rooms took goes with its process, which may outlive the session. For kVanishes after the session, a
//   fall is that. What has not fallen by then stays in the base if it was claimed and the process lives; else it is not
//   there, and others grew meanwhile.
// * Whoever else uses less than the base lowers it.
//
// Where it is in doubt whose the growth is, too much is held back rather than too little.
class Rooms {
 public:
  // What the device shows now.
  struct Device {
    Bytes free;    // of the broker's to give: headroom and what is granted and not made are taken off
    Bytes others;  // used by programs outside: the most of the last kLately
  };

  // While clients give back, programs outside seem to use less than they do: a process that dies with much memory mapped
  // frees it over some two seconds before it shows as ended.
  static constexpr absl::Duration kLately = absl::Seconds(3);
  // What a session's program took is gone 3 s after the session at the latest, and that shows kLately later.
  static constexpr absl::Duration kVanishes = absl::Seconds(6);

  void Add(SessionId session, uint64_t request, Bytes bytes, absl::Duration ttl, absl::Time now);
  // Null where the session has none.
  const Room* Find(SessionId session) const;
  void Settle(SessionId session, Bytes used, absl::Time now);
  // The session has ended; what its program took may stay, as long as its process lives.
  void Remove(SessionId session, absl::Time now);
  // Before Remove, or soon after.
  void ProcessEnded(SessionId session);

  // The device has been looked at.
  void Looked();
  // What a room took that is ready no more has not been seen yet: another look is needed before the next one is ready.
  bool NeedsLook() const { return looks_needed_ > 0; }

  // Brings all up to date; returns a room that became ready, for which the client waits. There may be more: call it again.
  std::optional<Room> Update(const Device& device, absl::Time now);
  void Extend(absl::Duration gap);

  // What nobody else may be granted, though it is free.
  Bytes HeldBack(const Device& device) const;
  // What the room that is being made lacks still.
  Bytes Short(const Device& device) const;

  const std::deque<Room>& all() const { return rooms_; }

 private:
  // What a session's program took, and is in the base as long as the device shows it.
  struct Leaving {
    SessionId session;
    Bytes bytes;
    std::optional<Room::Claim> claim;
    absl::Time until;
    bool stays = false;         // what is left of it then
    bool until_looked = false;  // the claim: nobody said how much, and the next looks show it
  };

  Room* FindRoom(SessionId session);
  void Erase(SessionId session);
  bool AnyGrows() const;
  void BecomeReady(Room& room, absl::Time now);
  void LetGo(Room& room, Bytes claim, absl::Time now);
  // What was claimed is in the base from now on; returns how much that is.
  Bytes CountIn(std::optional<Room::Claim>& claim);
  // So much of what is leaving is gone; returns as much of it as there was. What would not stay goes first: where another
  // one's is gone in truth, the base is too high, not too low.
  Bytes TakeFromLeaving(Bytes most);
  void FollowOthers(Bytes others, absl::Time now);
  void CloseClaims(absl::Time now);
  void Fill();

  Bytes Growth() const { return MinusOrZero(others_, base_); }
  // What is leaving may be gone, and others have grown as much.
  Bytes HighestBase() const;
  // The most that the growth can be.
  Bytes Sizes() const;
  // What it may still take, or has taken and no look has shown.
  static Bytes Unseen(const Room& room);
  // The same of all, and of those whose session has ended since the last look.
  Bytes Lacking() const;

  std::deque<Room> rooms_;
  std::deque<Leaving> leaving_;  // the longest gone first
  Bytes others_;                 // as of the newest Update
  Bytes base_;                   // while any room grows; what is leaving is in it
  int looks_needed_ = 0;
  Bytes unseen_;  // what those may have taken lately whose session has ended: held back until then
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_ROOMS_H_
