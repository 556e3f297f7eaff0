#ifndef KVBROKER_BROKER_CORE_TENANTS_H_
#define KVBROKER_BROKER_CORE_TENANTS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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
    TenantPolicy configured;
    Bytes peak;  // the most ever charged
  };

  // Without `others`, a tenant that is not in `configured` is refused.
  Tenants(const std::map<std::string, TenantPolicy>& configured, std::optional<TenantPolicy> others);

  // The tenant of that name; one that came for the first time is added where that is allowed.
  // NOT_FOUND names it and says who would be known; INVALID_ARGUMENT: no name for a tenant (1 to 64 of A-Z a-z 0-9 . _
  // -). RESOURCE_EXHAUSTED: too many have come.
  absl::StatusOr<Tenant*> Admit(const std::string& name);

  // NOT_FOUND as above; never adds.
  absl::StatusOr<Tenant*> Find(const std::string& name);

  const std::map<std::string, Tenant>& all() const { return tenants_; }
  std::map<std::string, Tenant>& all() { return tenants_; }

 private:
  absl::Status Unknown(absl::string_view name) const;

  const std::optional<TenantPolicy> others_;
  std::map<std::string, Tenant> tenants_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_TENANTS_H_
