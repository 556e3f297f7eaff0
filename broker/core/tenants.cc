#include "broker/core/tenants.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

constexpr size_t kMostTenants = 1024;
constexpr size_t kLongestName = 64;

}  // namespace

absl::Status CheckTenantName(absl::string_view name) {
  const bool good = !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", absl::CHexEscape(name.substr(0, kLongestName)),
                   "' is no name for a tenant: 1 to 64 letters, digits, '.', '_' or '-'"));
}

Tenants::Tenants(const std::map<std::string, TenantPolicy>& configured, const std::map<std::string, TenantPolicy>& set,
                 std::optional<TenantPolicy> others)
    : others_(others) {
  for (const auto& [name, policy] : configured) Add(name, policy).listed = true;
  for (const auto& [name, policy] : set) Set(name, policy);
}

Tenants::Tenant& Tenants::Add(const std::string& name, const TenantPolicy& policy) {
  Tenant& tenant = tenants_[name];
  tenant.name = name;
  tenant.policy = policy;
  tenant.configured = policy;
  return tenant;
}

absl::Status Tenants::CheckMayBeAdded(const std::string& name) const {
  if (tenants_.count(name) != 0 || tenants_.size() < kMostTenants) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("there are ", tenants_.size(), " tenants already"));
}

void Tenants::Set(const std::string& name, const TenantPolicy& policy) {
  const auto it = tenants_.find(name);
  Tenant& tenant = it != tenants_.end() ? it->second : Add(name, others_.value_or(TenantPolicy{}));
  Change(tenant, policy);
  tenant.set = true;
  tenant.left = false;
}

bool Tenants::Delete(const std::string& name, Use use) {
  const auto it = tenants_.find(name);
  Tenant& tenant = it->second;
  if (!tenant.listed && use == Use::kNone) {
    tenants_.erase(it);
    return false;
  }
  Change(tenant, tenant.configured);
  tenant.set = false;
  tenant.left = !tenant.listed && !others_.has_value();
  return true;
}

void Tenants::Change(Tenant& tenant, const TenantPolicy& policy) {
  // What was due before is known only for as long as the deadline was.
  if (policy.guarantee_deadline > tenant.policy.guarantee_deadline) tenant.due = DueWatch();
  tenant.policy = policy;
}

std::vector<std::string> Tenants::Configure(const std::map<std::string, TenantPolicy>& configured,
                                            std::optional<TenantPolicy> others) {
  others_ = others;
  std::vector<std::string> changed;
  for (auto& [name, tenant] : tenants_) {
    const auto it = configured.find(name);
    tenant.configured = it != configured.end() ? it->second : others.value_or(tenant.configured);
    tenant.listed = it != configured.end();
    tenant.left = !tenant.listed && !others.has_value() && !tenant.set;
    if (tenant.set || tenant.policy == tenant.configured) continue;
    Change(tenant, tenant.configured);
    changed.push_back(name);
  }
  for (const auto& [name, policy] : configured) {
    if (tenants_.count(name) == 0) {
      Add(name, policy).listed = true;
      changed.push_back(name);
    }
  }
  return changed;
}

std::map<std::string, TenantPolicy> Tenants::SetByOperators() const {
  std::map<std::string, TenantPolicy> set;
  for (const auto& [name, tenant] : tenants_) {
    if (tenant.set) set[name] = tenant.policy;
  }
  return set;
}

absl::StatusOr<Tenants::Tenant*> Tenants::Admit(const std::string& name) {
  KVB_RETURN_IF_ERROR(CheckTenantName(name));
  if (tenants_.count(name) == 0 && others_.has_value()) {
    KVB_RETURN_IF_ERROR(CheckMayBeAdded(name));
    Add(name, *others_);
  }
  KVB_ASSIGN_OR_RETURN(Tenant * tenant, Find(name));
  if (tenant->left) return Unknown(name);
  return tenant;
}

absl::Status Tenants::Restore(const std::string& name) {
  KVB_RETURN_IF_ERROR(CheckTenantName(name));
  KVB_RETURN_IF_ERROR(CheckMayBeAdded(name));
  if (tenants_.count(name) == 0) Add(name, others_.value_or(TenantPolicy{}));
  return absl::OkStatus();
}

absl::StatusOr<Tenants::Tenant*> Tenants::Find(const std::string& name) {
  const auto it = tenants_.find(name);
  if (it == tenants_.end()) return Unknown(name);
  return &it->second;
}

absl::Status Tenants::Unknown(absl::string_view name) const {
  const std::string known =
      tenants_.empty()
          ? "there are none"
          : absl::StrCat("there are: ",
                         absl::StrJoin(tenants_, ", ", [](std::string* out, const auto& t) { out->append(t.first); }));
  return absl::NotFoundError(absl::StrCat("no tenant '", absl::CHexEscape(name.substr(0, kLongestName)), "'; ", known));
}

}  // namespace kvbroker
