#ifndef KVBROKER_BROKER_CORE_TENANT_ACCESS_H_
#define KVBROKER_BROKER_CORE_TENANT_ACCESS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "common/base/process_identity.h"

namespace kvbroker {

// Who asks to be a tenant: what the kernel says of the process, and how it came.
struct Applicant {
  ProcessIdentity process;
  std::string cgroup;  // as the broker sees it, such as "/system.slice/chat.service"; "": unknown
  std::string door;    // the tenant whose own socket it came by; "": it came by everybody's
};

// Which processes may be a tenant: who has one of the users or of the groups, or is in one of the cgroups or below. Where
// none is named, everybody who can connect may.
struct TenantAccess {
  std::set<uint32_t> uids;
  std::set<uint32_t> gids;
  std::set<std::string> cgroups;
  bool own_socket = false;  // besides that, only who comes by the tenant's own socket

  bool names_nobody() const { return uids.empty() && gids.empty() && cgroups.empty(); }
  bool open() const { return names_nobody() && !own_socket; }
  bool Admits(const Applicant& applicant) const;

  friend bool operator==(const TenantAccess&, const TenantAccess&) = default;
};

// Who may be whom.
struct AccessRules {
  std::map<std::string, TenantAccess> tenants;
  TenantAccess others;  // tenants that are not among them

  // PERMISSION_DENIED names the tenant, who the process is, and who it would have to be.
  absl::Status Check(const std::string& tenant, const Applicant& applicant) const;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_TENANT_ACCESS_H_
