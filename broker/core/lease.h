#ifndef KVBROKER_BROKER_CORE_LEASE_H_
#define KVBROKER_BROKER_CORE_LEASE_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/policy/holding.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace kvbroker {

// The slots that one arena has been granted, as counts: slots are alike, so none has a name here.
//
//   Grant ─► starved ─StartMaking─► making ─Made─► made ─Send─► sent ─Confirm─► active ─Release─► returned ─Credit─►
//   (gone)
//               ▲                     │                           │                                  ▲
//               └──────MakeFailed─────┘                           └───────────────Nack───────────────┘
//
// Revoke and Abandon take slots out of the left half; a slot that is being made then is `unwanted`, and returned when
// it is made. A returned slot stays charged until the device shows its memory (Credit).
//
// Invariants: every slot is in exactly one count; at most one batch is out; only Grant raises the sum, only Credit,
// Revoke and Abandon (of slots that have no memory) lower it.
//
// Plain values, no I/O. Thread-compatible.
class Lease {
 public:
  struct Counts {
    uint64_t starved = 0;   // granted, no memory yet
    uint64_t making = 0;    // the device is at it
    uint64_t unwanted = 0;  // the same, but nobody waits for it any more
    uint64_t made = 0;      // memory of the broker's, waiting to be fetched
    uint64_t sent = 0;      // in the batch that is out
    uint64_t active = 0;    // the client's
    uint64_t returned = 0;  // let go of, not yet seen as free

    uint64_t charged() const { return starved + making + unwanted + made + sent + active + returned; }
    // What counts towards the client's want.
    uint64_t held() const { return starved + making + made + sent + active; }
    // Has memory of the device, as far as the broker knows.
    uint64_t present() const { return made + sent + active + returned; }
  };

  // `planes` are the extent sizes of one slot, not empty; `slots` is the most the arena can map.
  Lease(LeaseId id, SessionId session, ArenaId arena, std::vector<Bytes> planes, uint64_t slots);

  LeaseId id() const { return id_; }
  SessionId session() const { return session_; }
  ArenaId arena() const { return arena_; }
  const std::vector<Bytes>& planes() const { return planes_; }
  Bytes slot_bytes() const { return slot_bytes_; }
  uint64_t slots() const { return slots_; }
  const Counts& counts() const { return counts_; }

  // Since the arena was opened; only ever growing, as the messages carry them.
  uint64_t total_granted() const { return total_granted_; }
  uint64_t total_revoked() const { return total_revoked_; }

  // REQUIRES of the next five: the counts allow it; they follow the broker's own decisions.
  void Grant(uint64_t slots);
  void Adopt(uint64_t slots);          // of a client that comes back: active at once
  void AdoptReturned(uint64_t slots);  // of an earlier broker's account: let go of, not yet seen as free
  void StartMaking(uint64_t slots);
  void MakeFailed(uint64_t slots);
  // Returns how many of the slots nobody waits for any more: they are returned, and their memory is to be discarded.
  uint64_t Made(uint64_t slots);

  // Puts made slots into a batch. FAILED_PRECONDITION: a batch is out. REQUIRES: 0 < slots <= made.
  absl::StatusOr<BatchId> Send(uint64_t slots);
  bool batch_out() const { return counts_.sent != 0; }
  // The batch that is out, or the newest that was.
  BatchId batch() const { return batch_; }

  // The client has imported the batch. A repeat of the newest one changes nothing.
  // INVALID_ARGUMENT: no such batch.
  struct Confirmed {
    uint64_t slots = 0;     // in all; 0: a repeat
    uint64_t returned = 0;  // of which: given back already, the Release came first
  };
  absl::StatusOr<Confirmed> Confirm(BatchId batch);
  // The client keeps nothing of the batch: its slots are revoked, and returned until the device shows them. Returns how
  // many; the rest as Confirm.
  absl::StatusOr<uint64_t> Nack(BatchId batch);

  // The client has given back `total` slots since the arena was opened. Returns how many were returned by it. Release
  // and Confirm come on different channels: slots of the batch that is out may be given back before it is confirmed,
  // and are returned when it is.
  // INVALID_ARGUMENT: it never had so many.
  absl::StatusOr<uint64_t> Release(uint64_t total);

  // Takes at most `slots` unfetched ones back, those without memory first.
  struct Revoked {
    uint64_t slots = 0;    // in all
    uint64_t discard = 0;  // of which made: returned, their memory is to be discarded
  };
  Revoked Revoke(uint64_t slots);

  // The client is no more. Everything is returned or gone.
  struct Abandoned {
    uint64_t discard = 0;    // made slots whose memory is to be discarded
    bool batch_out = false;  // the broker's handles of the batch are to be dropped
  };
  Abandoned Abandon();

  // The device shows the memory of so many returned slots. REQUIRES: slots <= returned.
  void Credit(uint64_t slots);

  // --- The client's want; kept here, decided on by the policy.
  struct Want {
    uint64_t revision = 0;
    uint64_t slots = 0;
    uint64_t min_useful = 0;
    // What of it is not met, in the order in which it was asked for: up to so many slots since then.
    struct Raise {
      uint64_t slots;
      uint64_t order;
      absl::Time from;
    };
    std::deque<Raise> raises;

    uint64_t waiting_since() const { return raises.empty() ? 0 : raises.front().order; }  // 0: it is met
    absl::Duration waiting(absl::Time now) const {
      return raises.empty() ? absl::ZeroDuration() : now - raises.front().from;
    }
  };
  Want want;

  // What it holds, as the client reported it last; never: at the beginning of time.
  Holding holding;
  absl::Time reported = absl::InfinitePast();

  // The arena is closed: the lease ends when nothing is charged to it any more.
  bool closed = false;

  // A Fetch that waits until a slot is made: the most it takes.
  std::optional<uint64_t> pending_fetch;

 private:
  LeaseId id_;
  SessionId session_;
  ArenaId arena_;
  std::vector<Bytes> planes_;
  Bytes slot_bytes_;
  uint64_t slots_;
  Counts counts_;
  uint64_t total_granted_ = 0;
  uint64_t total_revoked_ = 0;
  uint64_t total_released_ = 0;
  uint64_t released_early_ = 0;  // of the batch that is out; never more than sent
  BatchId batch_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_LEASE_H_
