#ifndef KVBROKER_BROKER_CORE_LEDGER_H_
#define KVBROKER_BROKER_CORE_LEDGER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/device_view.h"
#include "broker/core/external_watch.h"
#include "broker/core/lease.h"
#include "broker/core/session_state.h"
#include "broker/core/target_watch.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/process_identity.h"

namespace kvbroker {

// What was granted in the last seconds, which is not asked back at once.
class RecentGrants {
 public:
  static constexpr absl::Duration kProtected = absl::Seconds(2);

  void Add(Bytes bytes, absl::Time now) {
    while (!grants_.empty() && grants_.front().first + kProtected <= now) grants_.pop_front();
    // Those of one moment together: a growth slot by slot makes no long list.
    if (!grants_.empty() && now - grants_.back().first < kProtected / 32) {
      grants_.back().second += bytes;
    } else {
      grants_.push_back({now, bytes});
    }
  }
  Bytes Sum(absl::Time now) const {
    Bytes sum;
    for (const auto& [when, bytes] : grants_) {
      if (when + kProtected > now) sum += bytes;
    }
    return sum;
  }

 private:
  std::deque<std::pair<absl::Time, Bytes>> grants_;
};

enum class SessionRole { kSingle, kController, kMapper };

// What the broker knows of one session.
struct SessionRecord {
  SessionId id;
  std::string tenant;
  std::string instance;
  SessionRole role = SessionRole::kSingle;
  ProcessIdentity process;
  std::string engine;
  SessionState state = SessionState::kActive;
  absl::Time opened;
  Bytes floor;  // what one of its longest requests needs; 0: unknown
  std::map<ArenaId, LeaseId> leases;

  ExternalWatch external;
  TargetWatch target;
  std::optional<absl::Duration> told_eviction_age;
  RecentGrants recent_grants;
  std::optional<absl::Time> end_by_kill_at;  // it was told to end
  Bytes ended_with;                          // what was on its account when it ended
};

// For the log: "session=3 tenant=a pid=7".
std::string Describe(const SessionRecord& session);

// Everything that is out, and on whose account: sessions and their leases. Ordered maps, so that every walk is
// deterministic.
//
// Invariants: a lease's session exists; a session knows all its leases; a session that is gone is not in it.
//
// Plain values, no I/O. Thread-compatible.
class Ledger {
 public:
  SessionRecord& AddSession(SessionRecord session);
  Lease& AddLease(SessionRecord& session, ArenaId arena, std::vector<Bytes> planes, uint64_t slots);
  // One that an earlier broker numbered. REQUIRES: the number is free, and below BeginLeasesAt().
  Lease& RestoreLease(SessionRecord& session, LeaseId id, ArenaId arena, std::vector<Bytes> planes, uint64_t slots);
  // Numbers below it were an earlier broker's.
  void BeginLeasesAt(LeaseId first) { next_lease_ = first.value(); }
  // REQUIRES: nothing is charged to the lease, or to any lease of the session.
  void RemoveLease(LeaseId id);
  void RemoveSession(SessionId id);

  // Null where there is none.
  SessionRecord* FindSession(SessionId id);
  const SessionRecord* FindSession(SessionId id) const;
  Lease* FindLease(LeaseId id);
  Lease* FindLease(SessionId session, ArenaId arena);
  // There was such a lease, and it is no more.
  bool HasEnded(LeaseId id) const { return id && id.value() < next_lease_ && leases_.count(id) == 0; }

  const std::map<SessionId, SessionRecord>& sessions() const { return sessions_; }
  const std::map<LeaseId, Lease>& leases() const { return leases_; }
  std::map<SessionId, SessionRecord>& sessions() { return sessions_; }
  std::map<LeaseId, Lease>& leases() { return leases_; }

  DeviceView::Books Books() const;
  DeviceView::Books BooksOf(const SessionRecord& session) const;
  Bytes ChargedTo(const SessionRecord& session) const { return BooksOf(session).charged; }
  // What its arenas hold together, as reported.
  Holding HoldingOf(const SessionRecord& session) const;
  Bytes ChargedToTenant(const std::string& tenant) const;

  // Notes that slots of a lease were let go of.
  void NoteReturned(LeaseId lease, uint64_t slots);
  // Whether what was noted is what the leases count; for CheckInvariants.
  bool ReturnedAddsUp() const;
  // Credits returned slots, whole ones, as far as `seen` reaches. Returns what was credited.
  //
  // The device shows sums, not whose they are. The newest are credited first: what is let go of is free within moments,
  // and what is still out after that (a dead process's child holds it) stays on the account of whoever let it be until
  // DeviceView takes it for others', where oldest first would credit it with everybody else's returns.
  Bytes CreditReturned(Bytes seen);

 private:
  struct Returned {
    LeaseId lease;
    uint64_t slots;
  };

  static void Add(const Lease& lease, DeviceView::Books& books);

  std::map<SessionId, SessionRecord> sessions_;
  std::map<LeaseId, Lease> leases_;
  std::vector<Returned> returned_;  // oldest first
  uint64_t next_lease_ = 1;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_LEDGER_H_
