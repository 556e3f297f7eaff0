#ifndef KVBROKER_BROKER_SERVER_OUTGOING_QUEUE_H_
#define KVBROKER_BROKER_SERVER_OUTGOING_QUEUE_H_

#include <cstdint>
#include <list>
#include <optional>

#include "proto/engine.pb.h"

namespace kvbroker {

// What the broker has to say to one session: levels and notices.
//
// A level (Target, RoomReady, Trim, PolicyChanged, BrokerState, an arena's ArenaOpened, a lease's Grant and Revoke) is what is so now.
// The newest is kept after it was taken, for a stream that is opened anew, and a newer one takes the place of an older
// one that was not taken. A lease's levels are kept for as long as its arena is known to be open.
//
// A notice (Error, and answers to single requests) is said once. Where the client does not read, the newest 64 are
// kept: more would say nothing that those do not.
//
// So the queue is bounded by the arenas of a session, and nothing that counts is ever dropped. Thread-compatible.
class OutgoingQueue {
 public:
  static constexpr int kMostNotices = 64;

  void Add(v1::BrokerMessage message);
  // The oldest message that is to be said; none where all is said.
  std::optional<v1::BrokerMessage> Take();
  // Whoever takes from here on has heard nothing yet: all levels are to be said again.
  void StartAnew();
  // The arena is closed: forgets its levels and its lease's.
  void ForgetArena(uint64_t arena);
  void Clear() { entries_.clear(); }

 private:
  struct Entry {
    v1::BrokerMessage message;
    bool said = false;
  };

  bool IsKept(const v1::BrokerMessage& message) const;
  void DropNoticesBeyondBound();

  std::list<Entry> entries_;  // In the order in which they are to be said; notices that were said are gone.
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_OUTGOING_QUEUE_H_
