#ifndef KVBROKER_BROKER_CORE_EVENT_H_
#define KVBROKER_BROKER_CORE_EVENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "broker/core/accounts.h"
#include "broker/core/ledger.h"
#include "broker/core/tenant_access.h"
#include "broker/policy/holding.h"
#include "broker/policy/tenant_policy.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace kvbroker {

// A connection on which no session is admitted yet; numbered by whoever drives the core.
using ConnectionId = Id<struct ConnectionKind>;

// An arena as a client describes it.
struct ArenaDescription {
  ArenaId id;
  std::vector<Bytes> planes;  // extent sizes of one slot
  uint64_t slots = 0;
};

// What can happen to the broker. The names of the client's messages are those of proto/engine.proto.
namespace event {

// A client says who it is; the kernel has confirmed `process`.
struct Hello {
  // What a client that comes back holds of an earlier epoch.
  struct Held {
    ArenaDescription arena;
    uint64_t slots = 0;
  };

  ConnectionId connection;
  ProcessIdentity process;
  std::string cgroup;  // of the process; "": unknown
  std::string door;    // the tenant whose own socket it came by; "": everybody's
  std::string tenant;
  std::string instance;
  SessionRole role = SessionRole::kSingle;
  std::string device_uuid;  // empty: any
  std::string engine;
  std::vector<Held> held;
  bool comes_back = false;  // it had a session before, of whichever broker
  SessionId resumes;        // the session of this epoch that it had before; empty: none
  Bytes floor;              // what one of its longest requests needs; 0: unknown
};

struct ArenaOpen {
  SessionId session;
  ArenaDescription arena;
};

struct ArenaClose {
  SessionId session;
  ArenaId arena;
};

struct Want {
  SessionId session;
  ArenaId arena;
  uint64_t revision = 0;
  uint64_t slots = 0;
  uint64_t min_useful = 0;
};

struct Fetch {
  SessionId session;
  LeaseId lease;
  uint64_t max_slots = 0;
  BatchId confirm;  // empty: confirms nothing
};

struct Confirm {
  SessionId session;
  LeaseId lease;
  BatchId batch;
};

struct Nack {
  SessionId session;
  LeaseId lease;
  BatchId batch;
  std::string error;
};

struct Released {
  SessionId session;
  LeaseId lease;
  uint64_t total = 0;
};

// What an arena holds, by what it would cost to give it back; the newest counts.
struct HoldingReport {
  SessionId session;
  ArenaId arena;
  Holding holding;
};

// A session asks for room; the same request again changes nothing.
struct ReserveExternal {
  SessionId session;
  uint64_t request = 0;
  Bytes bytes;
  absl::Duration ttl;  // from when it is ready; 0: to the session's end
};

// Its room's memory is allocated, or not needed any more.
struct ExternalSettled {
  SessionId session;
  uint64_t request = 0;
  Bytes bytes;  // what was taken
};

// What the session's process holds of the device outside of its arenas; the newest revision counts.
struct External {
  SessionId session;
  uint64_t revision = 0;
  Bytes bytes;
  Bytes trimmable;  // of which nobody uses so much, and it could be let go of at once
};

// A message that asks for nothing this version acts on (SetMode).
struct Remark {
  SessionId session;
};

// A message of the protocol that this broker does not serve yet.
struct Unsupported {
  SessionId session;
  std::string what;
};

struct Poisoned {
  SessionId session;
  std::string error;
};

struct Goodbye {
  SessionId session;
};

// The session's hand-over channel closed.
struct ConnectionLost {
  SessionId session;
};

// The session's process ended (its pidfd says so).
struct ProcessEnded {
  SessionId session;
};

// The device made extents for so many slots, or could not.
struct Made {
  LeaseId lease;
  uint64_t slots = 0;
};
struct MakeFailed {
  LeaseId lease;
  uint64_t slots = 0;
  absl::Status error;
};

// A look at the device. In order with Made: it shows what was made before it, and nothing made after it.
struct DeviceSample {
  Bytes total;
  Bytes free;
};

// The device is lost with all that was on it. The last event there is.
struct DeviceLost {
  std::string why;
};

// What is known of whether the device zeroes what it gives out anew.
struct ZeroingChecked {
  absl::Status status;  // OK: it does
};

// What an earlier broker had out when it ended, as far as its journal tells; before anything else. ProcessEnded follows
// for those whose processes live no more.
struct Recovered {
  Accounts accounts;
};

// An operator sets a tenant's policy; CheckTenantChange has found it good.
struct SetTenant {
  std::string tenant;
  TenantPolicy policy;
};

// What an operator set of a tenant's policy is forgotten; CheckTenantDeletion has found it good.
struct DeleteTenant {
  std::string tenant;
};

// An operator wants the tenant to hold no more than `to` once; then, or at `until`, it is over. Without `to`: it is over now.
struct Squeeze {
  std::string tenant;
  std::optional<Bytes> to;
  absl::Time until = absl::InfiniteFuture();
};

// An operator opens the broker to new sessions, or closes it to them; those that there are go on, and come back.
struct Admission {
  bool open = true;
};

// An operator gives up a session whose process lives and does not come back; CheckForget has found it good.
struct Forget {
  SessionId session;
};

// The configuration was read anew. What operators set at run time stays, and so does its revision.
struct Configured {
  std::map<std::string, TenantPolicy> tenants;
  std::optional<TenantPolicy> others;  // as Arbiter::Options::other_tenants
  AccessRules access;                  // of who comes from now on
};

}  // namespace event

using Event =
    std::variant<event::Hello, event::ArenaOpen, event::ArenaClose, event::Want, event::Fetch, event::Confirm,
                 event::Nack, event::Released, event::HoldingReport, event::ReserveExternal, event::ExternalSettled,
                 event::External, event::Remark, event::Unsupported, event::Poisoned, event::Goodbye,
                 event::ConnectionLost, event::ProcessEnded, event::Made, event::MakeFailed, event::DeviceSample,
                 event::DeviceLost, event::ZeroingChecked, event::Recovered, event::SetTenant, event::DeleteTenant,
                 event::Squeeze, event::Admission, event::Forget, event::Configured>;

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_EVENT_H_
