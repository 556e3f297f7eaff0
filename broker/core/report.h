#ifndef KVBROKER_BROKER_CORE_REPORT_H_
#define KVBROKER_BROKER_CORE_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/latency_histogram.h"
#include "broker/core/ledger.h"
#include "broker/core/rooms.h"
#include "broker/policy/tenant_policy.h"
#include "common/base/bytes.h"

namespace kvbroker {

// How often things happened since the start.
struct BrokerCounters {
  uint64_t grants = 0;
  uint64_t granted_slots = 0;
  uint64_t refusals = 0;  // connections and messages answered with an error
  uint64_t create_failures = 0;
  uint64_t sessions_opened = 0;
  uint64_t sessions_ended = 0;
  Bytes written_off;  // given back, never seen as free, and counted as used by others since
};

// The broker at one moment, for operators.
struct BrokerReport {
  struct Tenant {
    std::string name;
    TenantPolicy policy;
    TenantPolicy configured;
    Bytes charged;
    Bytes wanted;
    Bytes entitled;  // its share, as the policy decided last
    Bytes peak;
    Bytes external;   // outside of its sessions' arenas
    Bytes trimmable;  // of which
    Bytes floor;
    uint32_t sessions = 0;
    bool has_turn = false;
    absl::Duration waited;
    absl::Duration starved;
    absl::Duration assured_waited;
    uint64_t assured_waits = 0;
    uint64_t assured_misses = 0;
    uint64_t missed_targets = 0;
    Bytes reclaimed;
    LatencyHistogram grants;
    LatencyHistogram reclaims;
    std::optional<Bytes> squeezed_to;  // an operator's trim, while it lasts
    uint64_t squeezes = 0;             // begun so far
    Bytes held_after_squeeze;          // when the newest one was over
    bool set = false;                  // an operator has set its policy
    bool listed = false;               // the configuration names it
    Holding holding;                   // all its sessions'
  };
  struct Session {
    SessionId id;
    std::string tenant;
    std::string instance;
    SessionState state = SessionState::kActive;
    ProcessIdentity process;
    std::string engine;
    Bytes charged;
    Bytes active;
    Bytes in_flight;
    Bytes returned;
    Bytes wanted;
    std::optional<Bytes> target;
    Holding holding;
    absl::Duration response;
    uint64_t missed_targets = 0;
    bool over_target = false;
    Bytes external;
    Bytes trimmable;
    absl::Duration age;
    uint32_t arenas = 0;
  };

  struct RoomRow {
    Room room;
    std::string tenant;
    ProcessIdentity process;
    std::string engine;
    absl::Duration age;
  };

  Bytes total;
  Bytes free;
  Bytes capacity;
  std::optional<Bytes> cap;
  Bytes headroom;
  Bytes charged;
  Bytes returned;  // of which: let go of, not yet seen as free
  Bytes used_by_others;
  absl::Status zeroing;  // OK: the device was seen to zero what it gives out anew. UNAVAILABLE: not known yet
  Bytes used_by_broker;  // its process's own share; not known to the core
  Bytes waiting;         // wanted, allowed by the limits, not granted
  Bytes room;            // held back for memory outside the broker
  Bytes asked_back;      // of what sessions hold, and not given back yet
  Bytes guarantee_at_risk;
  uint64_t policy_revision = 0;
  bool admits = true;  // new sessions
  BrokerCounters counters;
  std::vector<Tenant> tenants;
  std::vector<Session> sessions;
  std::vector<RoomRow> rooms;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_REPORT_H_
