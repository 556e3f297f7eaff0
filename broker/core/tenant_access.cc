#include "broker/core/tenant_access.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kvbroker {
namespace {

constexpr size_t kShownName = 64;

}  // namespace

absl::Status AccessRules::Check(const std::string& tenant, const ProcessIdentity& process) const {
  const auto own = tenants.find(tenant);
  const TenantAccess& access = own != tenants.end() ? own->second : others;
  if (access.Admits(process)) return absl::OkStatus();
  std::string who;
  if (!access.uids.empty()) absl::StrAppend(&who, "uid ", absl::StrJoin(access.uids, ", "));
  if (!access.uids.empty() && !access.gids.empty()) who += ", or ";
  if (!access.gids.empty()) absl::StrAppend(&who, "gid ", absl::StrJoin(access.gids, ", "));
  return absl::PermissionDeniedError(
      absl::StrCat("process ", process.pid, " of uid ", process.uid, ", gid ", process.gid, " may not be tenant '",
                   absl::CHexEscape(tenant.substr(0, kShownName)), "'; it is for ", who));
}

}  // namespace kvbroker
