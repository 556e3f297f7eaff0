#include "broker/core/tenant_access.h"

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace kvbroker {
namespace {

constexpr size_t kShownName = 64;

bool IsWithin(absl::string_view cgroup, absl::string_view ancestor) {
  if (cgroup.empty()) return false;
  return absl::ConsumePrefix(&cgroup, absl::StripSuffix(ancestor, "/")) &&
         (cgroup.empty() || absl::StartsWith(cgroup, "/"));
}

}  // namespace

bool TenantAccess::Admits(const Applicant& applicant) const {
  return names_nobody() || uids.count(applicant.process.uid) != 0 || gids.count(applicant.process.gid) != 0 ||
         std::any_of(cgroups.begin(), cgroups.end(),
                     [&](const std::string& cgroup) { return IsWithin(applicant.cgroup, cgroup); });
}

absl::Status AccessRules::Check(const std::string& tenant, const Applicant& applicant) const {
  const std::string name = absl::StrCat("tenant '", absl::CHexEscape(tenant.substr(0, kShownName)), "'");
  if (!applicant.door.empty() && applicant.door != tenant) {
    return absl::PermissionDeniedError(
        absl::StrCat("this socket is of tenant '", applicant.door, "' alone, not of ", name));
  }
  const auto own = tenants.find(tenant);
  const TenantAccess& access = own != tenants.end() ? own->second : others;
  if (access.own_socket && applicant.door != tenant) {
    return absl::PermissionDeniedError(absl::StrCat(name, " is reached by its own socket alone, tenants/", tenant,
                                                    "/engine.sock in the broker's folder"));
  }
  if (access.Admits(applicant)) return absl::OkStatus();
  std::vector<std::string> who;
  if (!access.uids.empty()) who.push_back(absl::StrCat("uid ", absl::StrJoin(access.uids, ", ")));
  if (!access.gids.empty()) who.push_back(absl::StrCat("gid ", absl::StrJoin(access.gids, ", ")));
  if (!access.cgroups.empty()) who.push_back(absl::StrCat("cgroup ", absl::StrJoin(access.cgroups, ", ")));
  return absl::PermissionDeniedError(absl::StrCat(
      "process ", applicant.process.pid, " of uid ", applicant.process.uid, ", gid ", applicant.process.gid,
      ", cgroup ", applicant.cgroup.empty() ? "unknown" : absl::CHexEscape(applicant.cgroup), " may not be ", name,
      "; it is for ", absl::StrJoin(who, ", or ")));
}

}  // namespace kvbroker
