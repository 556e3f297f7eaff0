#ifndef KVBROKER_BROKER_POLICY_SITUATION_H_
#define KVBROKER_BROKER_POLICY_SITUATION_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "broker/policy/policy.h"
#include "common/base/bytes.h"

namespace kvbroker {

// Who has waited so long is raised by one class with what it needs to make progress, and starves where that is not its
// share either. It stays raised for kLongestTurn: as soon as it has what it needs it waits no more, and would lose it. As long as a deadline for a share may take twice: what is on its way should have come by then.
inline constexpr absl::Duration kAgeingStep = absl::Seconds(2);

// How fast a tenant grows into its guarantee at the most, per second: so much for as long as borrowers take to answer
// is kept unlent, since it will be wanted before anything can have come back.
inline constexpr Bytes kGrowthPerSecond = Bytes(4'000'000'000);
// For a borrower that has not been asked yet.
inline constexpr absl::Duration kUsualResponse = absl::Milliseconds(50);

inline constexpr uint64_t kNotWaiting = std::numeric_limits<uint64_t>::max();

// A session's bytes by what they cost: spare, free, cached from the oldest to the youngest, compactable, preemptible
// (what is in no class is), pinned. Together what it holds, whatever it claimed: where it claims more, the dearest
// stand, since the cheapest are the first to be given back after a report.
inline constexpr size_t kSpare = 0;
inline constexpr size_t kFree = 1;
inline constexpr size_t kOldestCached = 2;
inline constexpr size_t kYoungestCached = kOldestCached + kAgeClasses - 1;
inline constexpr size_t kCompactable = kYoungestCached + 1;
inline constexpr size_t kPreemptible = kCompactable + 1;
inline constexpr size_t kPriceClasses = kPreemptible + 1;  // pinned has no price

struct SessionState {
  Bytes held;
  std::array<Bytes, kPriceClasses> priced;
  Bytes pinned;
  Bytes unreported;  // in none of the reported classes; part of the preemptible ones
  Bytes slot;        // the smallest that it holds; nothing where it holds none

  Bytes Idle() const;       // as Holding::Idle
  Bytes Revocable() const;  // given back without putting off a request
};

// All about its active sessions: what others of its sessions still hold is taken off its limit and assurances.
struct TenantState {
  Bytes held;
  Bytes immovable;  // of sessions that have ended or are lost
  Bytes limit;      // kMostBytes: none
  Bytes reserved;
  Bytes assured;
  Bytes pinned;        // held, and not to be had back
  Bytes demand;        // wanted, within the limit
  Bytes idle;          // of the demand; what was granted in the last 2 s is not
  Bytes just_granted;  // in the last 2 s
  Bytes need;          // of the demand: to make progress with one request
  TenantClass tenant_class;
  bool starving_for_use = false;         // it waits, longer than kAgeingStep, with a want that progress may hang on
  bool aged = false;                     // an unmet want of it waits longer than kAgeingStep
  Bytes raised;                          // of the demand: it competes for so much in the next higher class
  uint64_t waiting_since = kNotWaiting;  // its oldest want's
  std::optional<size_t> long_request;    // the lease whose fewest useful slots are the need beyond what it holds

  bool Borrows() const { return std::max(held, demand) > assured; }
  int Rank() const;  // its class, one higher while it is raised for more than it holds
  // Assured and not used, if it holds so much.
  Bytes IdleReserve(Bytes holds) const { return MinusOrZero(reserved, holds); }
  Bytes IdleGuarantee(Bytes holds) const { return MinusOrZero(MinusOrZero(assured, holds), IdleReserve(holds)); }
};

// A snapshot, summed up for the rules. Refers to it.
//
// Need: the tenant's floor where that is known: with so much, one request after the other gets done. Else what it holds
// and the fewest slots that are of use to a waiting lease that said so (min_useful over 1), or a first slot; not where
// it was granted as much in the last 2 s: it gets on, and else it would need ever more. Who has the turn needs no more
// than what the turn began for.
struct Situation {
  const PolicySnapshot& snapshot;
  std::vector<TenantState> tenants;    // as in the snapshot
  std::vector<SessionState> sessions;  // as in the snapshot
  std::vector<size_t> by_id;           // sessions
  std::vector<size_t> waiting;         // leases that want more, the oldest first
  // Capacity less room, what cannot be moved, reserves and pins beyond their tenants' demands, and what stays unlent of
  // guarantees beyond them.
  Bytes distributable;
  Bytes returned;  // on its way back already, and to be counted on
  Bytes instant;  // so much of idle guarantees, at the most, is wanted before anything that was lent can have come back
};

Situation SumUp(const PolicySnapshot& snapshot);

// What a session has reported can be lent against: it did lately, missed no target, and answers within `deadline`.
bool CanBeLentAgainst(const PolicySnapshot::Session& session, absl::Duration deadline);

// Fewer new slots than are of use could be granted even if the tenant held nothing: against its limit or the device.
bool IsImpossible(const PolicySnapshot& snapshot, const PolicySnapshot::Lease& lease);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_SITUATION_H_
