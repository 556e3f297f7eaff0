#ifndef KVBROKER_BROKER_POLICY_POLICY_H_
#define KVBROKER_BROKER_POLICY_POLICY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace kvbroker {

// What a policy decides on: the whole broker at one moment, as values.
struct PolicySnapshot {
  struct Tenant {
    std::string name;
    std::optional<Bytes> limit;
    Bytes charged;
    Bytes returned;  // of which: given back already, and on its way
  };
  struct Session {
    SessionId id;
    size_t tenant = 0;  // index into `tenants`
    Bytes charged;
    Bytes returned;  // of which: given back already, and on its way
  };
  struct Lease {
    LeaseId id;
    size_t tenant = 0;  // index into `tenants`
    Bytes slot;         // what one slot takes, all planes
    uint64_t held = 0;  // slots granted and not given back
    uint64_t wanted = 0;
    uint64_t min_useful = 0;     // fewer new slots than this are of no use
    uint64_t waiting_since = 0;  // order of the wants that are not met; smaller is older
  };

  Bytes available;  // may be granted now
  Bytes capacity;   // may be out at once: what everybody has given back included
  std::vector<Tenant> tenants;
  std::vector<Session> sessions;
  std::vector<Lease> leases;
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
    std::string reason;        // for people
  };

  std::vector<Grant> grants;
  std::vector<Target> targets;  // one for each session
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
