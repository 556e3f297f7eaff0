#ifndef KVBROKER_CLIENT_ARENA_LEASE_BOOKS_H_
#define KVBROKER_CLIENT_ARENA_LEASE_BOOKS_H_

#include <algorithm>
#include <cstdint>

#include "common/base/ids.h"

namespace kvbroker {

// What a client knows of its arena's lease: sums since the arena was opened at the broker, as the messages carry them,
// so that repeats and reordering change nothing.
//
// Plain values. Thread-compatible.
struct LeaseBooks {
  LeaseId lease;          // none: not opened at the broker (yet, or again)
  uint64_t granted = 0;   // Grant.cumulative_slots
  uint64_t revoked = 0;   // Revoke.cumulative_slots
  uint64_t received = 0;  // mapped from batches
  uint64_t released = 0;  // Released.cumulative_slots
  uint64_t want_revision = 0;
  // Slots that are mapped and that no broker, or not this one, knows of: given back without a word. While the broker is
  // away all are; one that takes over what its clients hold leaves none.
  uint64_t foreign = 0;

  bool fetching = false;      // a Fetch is out
  bool nothing_left = false;  // the broker said so; until the next Grant or Revoke

  // What was granted and revoked when the Fetch that is out was sent.
  uint64_t granted_at_fetch = 0;
  uint64_t revoked_at_fetch = 0;

  void NoteFetch() {
    fetching = true;
    granted_at_fetch = granted;
    revoked_at_fetch = revoked;
  }
  // The broker has nothing for the Fetch; unless it has granted more meanwhile, and the answer is older than that.
  void NoteNothingLeft() { nothing_left = granted == granted_at_fetch && revoked == revoked_at_fetch; }

  // The broker has taken over what is mapped.
  void Resume() {
    granted = received = foreign;
    foreign = 0;
  }

  uint64_t fetchable() const {
    const uint64_t gone = revoked + received;
    return granted > gone ? granted - gone : 0;
  }
  // What the broker counts as held by the client.
  uint64_t held() const {
    const uint64_t gone = revoked + released;
    return granted > gone ? granted - gone : 0;
  }
  // Notes that `slots` were unmapped. Returns whether the broker is to be told.
  bool Release(uint64_t slots) {
    const uint64_t unknown = std::min(slots, foreign);
    foreign -= unknown;
    released += slots - unknown;
    return slots > unknown;
  }
};

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_ARENA_LEASE_BOOKS_H_
