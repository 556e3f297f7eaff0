#ifndef KVBROKER_BROKER_POLICY_POLICY_H_
#define KVBROKER_BROKER_POLICY_POLICY_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "broker/policy/holding.h"
#include "broker/policy/tenant_policy.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace kvbroker {

// So long one tenant may have the turn, or be raised, while others wait for their shares; then it rests for as long.
inline constexpr absl::Duration kLongestTurn = absl::Seconds(30);

// What a policy decides on: the whole broker at one moment, as values. Times are durations up to this moment.
//
// `charged` counts all that is on somebody's account; `returned` is the part of it that was given back already and that
// the device does not show as free yet: it comes by itself. Held is charged - returned.
struct PolicySnapshot {
  // A tenant is raised by one class: it had waited long.
  struct Raise {
    absl::Duration age;
    Bytes need;  // what it began for
  };
  struct Tenant {
    std::string name;
    TenantPolicy policy;
    Bytes floor;             // what one of its longest requests needs; 0: unknown
    Bytes charged;           // all its sessions', those that are not active included
    Bytes returned;          // of which
    uint64_t last_turn = 0;  // order of the turns that were begun; smaller is longer ago, 0: it has had none
    bool rests = false;      // it had a whole turn a moment ago: others have their shares first
    std::optional<Raise> raise;
    bool rests_from_raise = false;     // the same
    std::optional<Bytes> squeezed_to;  // an operator wants it to hold no more for the moment; its wants stay possible
    // The most it may hold now; none: no bound.
    std::optional<Bytes> MayHold() const {
      return squeezed_to.has_value() ? std::min(*squeezed_to, policy.limit.value_or(*squeezed_to)) : policy.limit;
    }
    Bytes Held() const { return charged - returned; }
  };
  struct Session {  // active ones alone
    SessionId id;
    size_t tenant = 0;  // index into `tenants`
    Bytes charged;
    Bytes returned;
    Holding holding;                                  // as reported; may be older or newer than the sums
    bool reported = false;                            // lately: it counts for lending
    Bytes protected_bytes;                            // granted in the last 2 s
    std::optional<Bytes> target;                      // as it was told last; none: no bound
    absl::Duration asked_for = absl::ZeroDuration();  // since when it holds more than its target
    bool missed_target = false;                       // it holds more than its target, and the deadline is over
    Bytes trimmable;   // outside of its arenas, nobody uses it, and it could be let go of at once
    Bytes trim_asked;  // what it was asked to let go of and has not, or what does not show as free yet
    absl::Duration trim_asked_for = absl::InfiniteDuration();  // since it was asked last; infinite: never
    Bytes Held() const { return charged - returned; }
  };
  struct Lease {  // of active sessions
    LeaseId id;
    size_t session = 0;  // index into `sessions`
    size_t tenant = 0;   // index into `tenants`
    Bytes slot;          // what one slot takes, all planes
    uint64_t held = 0;   // slots granted and not given back
    uint64_t wanted = 0;
    uint64_t min_useful = 0;     // fewer new slots than this are of no use
    uint64_t first = 0;          // up to so many slots it has waited for since then, more since later; 0: all
    uint64_t waiting_since = 0;  // order of the wants that are not met; smaller is older, 0: it is met
    absl::Duration waiting;      // for how long
    // The fewest new slots that help: at least 1 where it wants any.
    uint64_t Least() const {
      const uint64_t missing = wanted > held ? wanted - held : 0;
      return missing == 0 ? 0 : std::min(missing, min_useful > 1 ? min_useful : uint64_t{1});
    }
  };
  // The tenant that may have what its longest request needs before others get their shares.
  struct Turn {
    size_t tenant = 0;
    absl::Duration age;
    Bytes need = Bytes(UINT64_MAX);  // what it began for
  };

  Bytes available;                     // may be granted now: what room holds back is not in it
  Bytes capacity;                      // may be out at once, room not counted: available + charged, but for the cap
  Bytes growable = Bytes(UINT64_MAX);  // `capacity` could grow by so much, were it free on the device: up to the cap
  Bytes room_short;                    // what the room that is being made lacks still: first of all that is given back
  Bytes stuck;                         // of what was returned: it did not become free in time, and is not counted on
  std::vector<Tenant> tenants;
  std::vector<Session> sessions;
  std::vector<Lease> leases;
  std::optional<Turn> turn;
  // For how long somebody has been short who waits for trims in place of dearer bytes; none: nobody does.
  std::optional<absl::Duration> trims_awaited;
};

// Why somebody has what it has, and no more.
enum class Rule {
  kMet,           // it has all it wants
  kLimit,         // its tenant's limit
  kImpossible,    // fewer slots than are of use could ever be granted
  kShare,         // others want as much: this is its fair share
  kClass,         // tenants of a higher class come first
  kTurn,          // another tenant's long request has its turn
  kGuarantee,     // what is left is others' guarantee, and could not be had back in time
  kReserved,      // what is left is others' reserve
  kMissedTarget,  // it holds more than it was asked to
  kRoom,          // room is being made for memory outside the broker
  kOnItsWay,      // its share; what others were asked for has not come yet
  kFull,          // its share; nobody has to give
};

// What the policy decides.
struct PolicyPlan {
  struct Grant {
    LeaseId lease;
    uint64_t slots = 0;
  };
  struct Target {
    SessionId session;
    std::optional<Bytes> max;  // none: no bound
    absl::Duration within;     // 0: no deadline
    bool urgent = false;       // a guarantee, a reserve, room or a turn waits for it
    std::string reason;        // for people
  };
  // The session should let go of so much of what is trimmable, now.
  struct Trim {
    SessionId session;
    Bytes bytes;
  };
  // One for each tenant, in the snapshot's order.
  struct Share {
    Bytes wanted;    // within its limit
    Bytes entitled;  // what it should have now; nobody is asked to hold less
    Bytes owed;      // of which others are asked for so much: who has idle bytes uses those before it grows further
    Bytes raised;    // of which it competes for so much in the next higher class from now on; 0: for nothing
  };
  // One for each lease, in the snapshot's order.
  struct Verdict {
    Rule rule = Rule::kMet;
    std::optional<size_t> because_of;  // a tenant that has to do with it
  };

  std::vector<Grant> grants;
  std::vector<Target> targets;  // one for each session
  std::vector<Trim> trims;      // at most one for each session; what was asked before stands
  bool awaits_trims = false;    // somebody is short, and is to wait for trims or did so already
  std::vector<Share> shares;
  std::vector<Verdict> verdicts;
  std::optional<size_t> turn;  // whose turn it is from now on
  Bytes turn_need;             // and with how much it gets on
  // Cache that nobody used for so long is given up rather than grown past; none: there is enough.
  std::optional<absl::Duration> eviction_age;
  Bytes asked;              // what all targets together ask for
  Bytes guarantee_at_risk;  // guarantees that could not be had back in time now
};

// Decides who may have how much. Pure: the same snapshot gives the same plan, and nothing is remembered.
// Thread-compatible.
class Policy {
 public:
  virtual ~Policy() = default;

  // Together the grants fit into `available`, and each tenant's into what its limit leaves.
  virtual PolicyPlan Plan(const PolicySnapshot& snapshot) const = 0;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_POLICY_H_
