#include "broker/config/policy_store.h"

#include <fcntl.h>
#include <google/protobuf/text_format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "broker/config/first_parse_error.h"
#include "broker/config/tenant_setting.h"
#include "broker/core/tenants.h"
#include "common/base/file.h"
#include "common/base/status.h"
#include "common/base/unique_fd.h"
#include "proto/config.pb.h"

namespace kvbroker {
namespace {

namespace fs = std::filesystem;

constexpr char kHeading[] = "# What kvctl set. Written by kvbrokerd; change it with kvctl.\n";

// ---------------------------------------------------------------- the file's text

config::v1::StoredTenant ToStored(const std::string& name, const TenantPolicy& policy) {
  config::v1::StoredTenant stored;
  stored.set_name(name);
  if (policy.limit.has_value()) stored.set_limit(policy.limit->in_bytes());
  stored.set_reserved(policy.reserved.in_bytes());
  stored.set_guarantee(policy.guarantee.in_bytes());
  stored.set_guarantee_deadline(absl::FormatDuration(policy.guarantee_deadline));
  stored.set_weight(policy.weight);
  stored.set_tenant_class(std::string(ToString(policy.tenant_class)));
  stored.set_missed_target(std::string(MissedTargetName(policy.missed_target)));
  return stored;
}

absl::StatusOr<TenantPolicy> FromStored(const config::v1::StoredTenant& stored) {
  TenantPolicy policy = {
      .reserved = Bytes(stored.reserved()), .guarantee = Bytes(stored.guarantee()), .weight = stored.weight()};
  if (stored.has_limit()) policy.limit = Bytes(stored.limit());
  if (!absl::ParseDuration(stored.guarantee_deadline(), &policy.guarantee_deadline)) {
    return absl::InvalidArgumentError(absl::StrCat("'", stored.guarantee_deadline(), "' is no deadline"));
  }
  const std::optional<TenantClass> tenant_class = ParseTenantClass(stored.tenant_class());
  if (!tenant_class.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("'", stored.tenant_class(), "' is no class"));
  }
  const std::optional<MissedTarget> missed_target = ParseMissedTarget(stored.missed_target());
  if (!missed_target.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("'", stored.missed_target(), "' says nothing of missed targets"));
  }
  policy.tenant_class = *tenant_class;
  policy.missed_target = *missed_target;
  KVB_RETURN_IF_ERROR(CheckTenantPolicy(policy));
  return policy;
}

std::string ToText(const std::map<std::string, TenantPolicy>& tenants, uint64_t revision) {
  config::v1::StoredPolicy stored;
  stored.set_revision(revision);
  stored.set_tenants(static_cast<uint32_t>(tenants.size()));
  for (const auto& [name, policy] : tenants) *stored.add_tenant() = ToStored(name, policy);
  std::string text;
  google::protobuf::TextFormat::PrintToString(stored, &text);
  return absl::StrCat(kHeading, text);
}

// The message says what is wrong, behind a path.
absl::StatusOr<config::v1::StoredPolicy> FromText(const std::string& text) {
  config::v1::StoredPolicy stored;
  google::protobuf::TextFormat::Parser parser;
  FirstParseError error;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &stored)) return absl::DataLossError(absl::StrCat(":", error.text()));
  if (stored.revision() == 0) return absl::DataLossError(": it has no revision");
  if (!stored.has_tenants()) return absl::DataLossError(": it does not say how many tenants it has");
  if (stored.tenants() != static_cast<uint32_t>(stored.tenant_size())) {
    return absl::DataLossError(absl::StrCat(": it has ", stored.tenant_size(), " of ", stored.tenants(), " tenants"));
  }
  return stored;
}

absl::StatusOr<std::map<std::string, TenantPolicy>> TenantsOf(const config::v1::StoredPolicy& stored) {
  std::map<std::string, TenantPolicy> tenants;
  for (const config::v1::StoredTenant& tenant : stored.tenant()) {
    if (const absl::Status named = CheckTenantName(tenant.name()); !named.ok()) {
      return absl::DataLossError(absl::StrCat(": ", named.message()));
    }
    const absl::StatusOr<TenantPolicy> policy = FromStored(tenant);
    if (!policy.ok()) {
      return absl::DataLossError(absl::StrCat(": tenant '", tenant.name(), "': ", policy.status().message()));
    }
    if (!tenants.emplace(tenant.name(), *policy).second) {
      return absl::DataLossError(absl::StrCat(": tenant '", tenant.name(), "' stands there twice"));
    }
  }
  return tenants;
}

// ---------------------------------------------------------------- the disk

absl::Status Sync(const fs::path& folder) {
  const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0) return FileError("syncing the folder", folder);
  return absl::OkStatus();
}

// Makes the folder and those above it, each on the disk.
absl::Status MakeFolder(const fs::path& folder) {
  if (mkdir(folder.c_str(), 0755) == 0) return Sync(folder.parent_path());
  if (errno == EEXIST) return absl::OkStatus();
  if (errno != ENOENT || !folder.has_relative_path()) return FileError("making the folder", folder);
  KVB_RETURN_IF_ERROR(MakeFolder(folder.parent_path()));
  if (mkdir(folder.c_str(), 0755) != 0) return FileError("making the folder", folder);
  return Sync(folder.parent_path());
}

absl::Status Write(const std::string& path, absl::string_view text) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) return FileError("writing", path);
  KVB_RETURN_IF_ERROR(WriteAll(file.get(), text, path));
  if (fsync(file.get()) != 0) return FileError("writing", path);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PolicyStore> PolicyStore::Open(const std::string& path) {
  const std::string absolute = fs::absolute(path);
  KVB_ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadFile(absolute));
  if (!text.has_value()) return PolicyStore(absolute, {}, 0);
  const auto in_file = [&](const absl::Status& status) {
    return absl::DataLossError(absl::StrCat("the policy in ", absolute, status.message()));
  };
  const absl::StatusOr<config::v1::StoredPolicy> stored = FromText(*text);
  if (!stored.ok()) return in_file(stored.status());
  absl::StatusOr<std::map<std::string, TenantPolicy>> tenants = TenantsOf(*stored);
  if (!tenants.ok()) return in_file(tenants.status());
  return PolicyStore(absolute, *std::move(tenants), stored->revision());
}

absl::Status PolicyStore::Save(std::map<std::string, TenantPolicy> tenants, uint64_t revision) {
  const fs::path folder = fs::path(path_).parent_path();
  KVB_RETURN_IF_ERROR(MakeFolder(folder));
  const std::string fresh = absl::StrCat(path_, ".new");
  absl::Cleanup remove = [&fresh] { unlink(fresh.c_str()); };
  KVB_RETURN_IF_ERROR(Write(fresh, ToText(tenants, revision)));
  if (rename(fresh.c_str(), path_.c_str()) != 0) return FileError("writing", path_);
  std::move(remove).Cancel();
  KVB_RETURN_IF_ERROR(Sync(folder));
  tenants_ = std::move(tenants);
  revision_ = revision;
  return absl::OkStatus();
}

}  // namespace kvbroker
