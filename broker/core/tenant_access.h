#ifndef KVBROKER_BROKER_CORE_TENANT_ACCESS_H_
#define KVBROKER_BROKER_CORE_TENANT_ACCESS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "common/base/process_identity.h"

namespace kvbroker {

// Which processes may be a tenant, by the user and the group that the kernel says they have. Who has one of the users or
// one of the groups may; where neither is named, everybody who can connect may.
struct TenantAccess {
  std::set<uint32_t> uids;
  std::set<uint32_t> gids;

  bool open() const { return uids.empty() && gids.empty(); }
  bool Admits(const ProcessIdentity& process) const {
    return open() || uids.count(process.uid) != 0 || gids.count(process.gid) != 0;
  }

  friend bool operator==(const TenantAccess&, const TenantAccess&) = default;
};

// Who may be whom.
struct AccessRules {
  std::map<std::string, TenantAccess> tenants;
  TenantAccess others;  // tenants that are not among them

  // PERMISSION_DENIED names the tenant, who the process is, and who it would have to be.
  absl::Status Check(const std::string& tenant, const ProcessIdentity& process) const;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_TENANT_ACCESS_H_
