#ifndef KVBROKER_BROKER_CORE_TENANTS_H_
#define KVBROKER_BROKER_CORE_TENANTS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "broker/core/due_watch.h"
#include "broker/core/latency_histogram.h"
#include "broker/core/spell.h"
#include "broker/core/wait_clock.h"
#include "broker/policy/tenant_policy.h"
#include "common/base/bytes.h"

namespace kvbroker {

// INVALID_ARGUMENT: no name for a tenant (1 to 64 of A-Z a-z 0-9 . _ -); names it.
absl::Status CheckTenantName(absl::string_view name);

// The tenants there are: those configured, and those that came and were admitted under the default policy.
// Thread-compatible.
class Tenants {
 public:
  struct Tenant {
    std::string name;
    TenantPolicy policy;
    TenantPolicy configured;  // what the configuration says
    bool set = false;         // an operator has set its policy
    bool listed = false;      // the configuration names it
    bool left = false;        // configured no more, and there are no others: its sessions go on, new ones are refused
    Bytes peak;               // the most ever charged
    uint64_t last_turn = 0;   // order of the turns that were begun; 0: it has had none
    Spell turn;               // at most one tenant has it
    Spell raise;              // by one class

    // How long it waits, and for what.
    WaitClock waits;              // for anything its limit allows
    WaitClock starves;            // with less than what one longest request needs
    WaitClock assured;            // for what it is assured of
    DueWatch due;                 // of what it is assured of
    uint64_t assured_misses = 0;  // beyond the deadline
    bool assured_missed = false;  // the wait that lasts is such a one
    uint64_t missed_targets = 0;
    Bytes reclaimed;            // given back by its sessions because they were asked to
    LatencyHistogram grants;    // from a want to the grant that met it
    LatencyHistogram reclaims;  // from asking one of its sessions until it held no more than it was asked to

    // An operator's wish that it holds no more than so much once.
    struct Squeeze {
      Bytes to;
      absl::Time since;
      absl::Time until;
    };
    std::optional<Squeeze> squeeze;
    uint64_t squeezes = 0;     // begun so far
    Bytes held_after_squeeze;  // when the newest one was over
  };

  // Without `others`, a tenant that is in neither of the first two is refused. `set` is what operators set at run time
  // before.
  Tenants(const std::map<std::string, TenantPolicy>& configured, const std::map<std::string, TenantPolicy>& set,
          std::optional<TenantPolicy> others);

  // The tenant of that name; one that came for the first time is added where that is allowed.
  // NOT_FOUND names it and says who would be known; INVALID_ARGUMENT: no name for a tenant (1 to 64 of A-Z a-z 0-9 . _
  // -). RESOURCE_EXHAUSTED: too many have come.
  absl::StatusOr<Tenant*> Admit(const std::string& name);

  // The tenant of a session that an earlier broker admitted is known again, configured or not: its memory is out.
  // Without a policy it is assured of nothing and has no limit. INVALID_ARGUMENT and RESOURCE_EXHAUSTED as above.
  absl::Status Restore(const std::string& name);

  // NOT_FOUND as above; never adds.
  absl::StatusOr<Tenant*> Find(const std::string& name);

  // An operator sets a tenant's policy; one that is not known is added. REQUIRES: a good name, and
  // CheckMayBeAdded.
  void Set(const std::string& name, const TenantPolicy& policy);
  // What an operator set of it is forgotten: its policy is the configuration's. One that is neither listed nor in use is
  // known no more. Returns whether it is. REQUIRES: it is known.
  enum class Use { kNone, kHasSessions };
  bool Delete(const std::string& name, Use use);
  // The configuration is another one: as if they had come under it, but for those that operators have set. Who is in it no more
  // is one of the others from now on; where there are to be none its sessions go on as they are, and no new one is admitted.
  // Returns whose policy is another now.
  std::vector<std::string> Configure(const std::map<std::string, TenantPolicy>& configured,
                                     std::optional<TenantPolicy> others);
  // RESOURCE_EXHAUSTED: the tenant is new, and there are too many.
  absl::Status CheckMayBeAdded(const std::string& name) const;
  // NOT_FOUND: names it and says who is known.
  absl::Status Unknown(absl::string_view name) const;
  // All that operators have set.
  std::map<std::string, TenantPolicy> SetByOperators() const;

  const std::map<std::string, Tenant>& all() const { return tenants_; }
  std::map<std::string, Tenant>& all() { return tenants_; }

 private:
  void Change(Tenant& tenant, const TenantPolicy& policy);
  Tenant& Add(const std::string& name, const TenantPolicy& policy);

  std::optional<TenantPolicy> others_;
  std::map<std::string, Tenant> tenants_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_TENANTS_H_
