#include "broker/config/config.h"

#include <google/protobuf/text_format.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/config/first_parse_error.h"
#include "common/base/status.h"
#include "proto/config.pb.h"

namespace kvbroker {
namespace {

using google::protobuf::TextFormat;

// A message and where its fields stand in the file.
class Written {
 public:
  Written(const google::protobuf::Message& message, const TextFormat::ParseInfoTree& lines, std::string name,
          std::string whose)
      : descriptor_(*message.GetDescriptor()), lines_(lines), name_(std::move(name)), whose_(std::move(whose)) {}

  bool Has(const std::string& field) const { return Line(field) >= 0; }

  // "broker.textproto:3: limit of tenant 'a': …".
  absl::Status Wrong(const std::string& field, absl::string_view what) const {
    const std::string line = Has(field) ? absl::StrCat(":", Line(field) + 1) : "";
    return absl::InvalidArgumentError(absl::StrCat(name_, line, ": ", field, whose_, ": ", what));
  }

 private:
  int Line(const std::string& field) const {
    const google::protobuf::FieldDescriptor& descriptor = *descriptor_.FindFieldByName(field);
    return lines_.GetLocation(&descriptor, descriptor.is_repeated() ? 0 : -1).line;  // the first of several
  }

  const google::protobuf::Descriptor& descriptor_;
  const TextFormat::ParseInfoTree& lines_;
  const std::string name_;   // of the file
  const std::string whose_;  // " of tenant 'a'"
};

absl::Status SetSize(const Written& written, const std::string& field, const std::string& text,
                     std::optional<Bytes>& size) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<Bytes> parsed = ParseBytes(text);
  if (!parsed.ok()) return written.Wrong(field, parsed.status().message());
  size = *parsed;
  return absl::OkStatus();
}

absl::Status SetAmount(const Written& written, const std::string& field, const std::string& text,
                       absl::StatusOr<LimitSetting> (*parse)(absl::string_view), std::optional<LimitSetting>& amount) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<LimitSetting> parsed = parse(text);
  if (!parsed.ok()) return written.Wrong(field, parsed.status().message());
  amount = *parsed;
  return absl::OkStatus();
}

// Those of `tenant` that need no capacity to be checked.
absl::Status SetOthers(const Written& written, const config::v1::Tenant& tenant, TenantSetting& setting) {
  if (!tenant.guarantee_deadline().empty()) {
    absl::Duration deadline;
    if (!absl::ParseDuration(tenant.guarantee_deadline(), &deadline)) {
      return written.Wrong("guarantee_deadline",
                           absl::StrCat("'", tenant.guarantee_deadline(), "' is no time: write 250ms or 1s"));
    }
    const absl::Status checked = CheckTenantPolicy({.guarantee_deadline = deadline});
    if (!checked.ok()) return written.Wrong("guarantee_deadline", checked.message());
    setting.guarantee_deadline = deadline;
  }
  if (written.Has("weight")) {
    const absl::Status checked = CheckTenantPolicy({.weight = tenant.weight()});
    if (!checked.ok()) return written.Wrong("weight", checked.message());
    setting.weight = tenant.weight();
  }
  if (!tenant.tenant_class().empty()) {
    setting.tenant_class = ParseTenantClass(tenant.tenant_class());
    if (!setting.tenant_class.has_value()) {
      return written.Wrong(
          "tenant_class", absl::StrCat("'", tenant.tenant_class(), "' is no class: interactive, batch or best_effort"));
    }
  }
  if (!tenant.missed_target().empty()) {
    setting.missed_target = ParseMissedTarget(tenant.missed_target());
    if (!setting.missed_target.has_value()) {
      return written.Wrong("missed_target",
                           absl::StrCat("'", tenant.missed_target(), "' is neither no_growth nor end_process"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TenantSetting> SettingOf(const Written& written, const config::v1::Tenant& tenant) {
  TenantSetting setting;
  KVB_RETURN_IF_ERROR(SetAmount(written, "limit", tenant.limit(), ParseLimit, setting.limit));
  KVB_RETURN_IF_ERROR(SetAmount(written, "reserved", tenant.reserved(), ParseAmount, setting.reserved));
  KVB_RETURN_IF_ERROR(SetAmount(written, "guarantee", tenant.guarantee(), ParseAmount, setting.guarantee));
  KVB_RETURN_IF_ERROR(SetOthers(written, tenant, setting));
  setting.access.uids.insert(tenant.allow_uid().begin(), tenant.allow_uid().end());
  setting.access.gids.insert(tenant.allow_gid().begin(), tenant.allow_gid().end());
  for (const std::string& cgroup : tenant.allow_cgroup()) {
    if (cgroup.empty() || cgroup.front() != '/') {
      return written.Wrong("allow_cgroup", absl::StrCat("'", cgroup, "' is no path of a cgroup: it begins with '/'"));
    }
    setting.access.cgroups.insert(cgroup);
  }
  setting.access.own_socket = tenant.own_socket();
  return setting;
}

const TextFormat::ParseInfoTree& Nested(const TextFormat::ParseInfoTree& lines, const std::string& field, int index) {
  return *lines.GetTreeForNested(config::v1::Broker::descriptor()->FindFieldByName(field), index);
}

absl::Status SetTenants(const std::string& name, const config::v1::Broker& broker,
                        const TextFormat::ParseInfoTree& lines, BrokerConfig& config) {
  for (int i = 0; i < broker.tenant_size(); ++i) {
    const config::v1::Tenant& tenant = broker.tenant(i);
    const Written written(tenant, Nested(lines, "tenant", i), name, absl::StrCat(" of tenant '", tenant.name(), "'"));
    const absl::Status named = CheckTenantName(tenant.name());
    if (!named.ok()) return written.Wrong("name", named.message());
    if (tenant.own_socket() && tenant.name().front() == '.') {
      return written.Wrong("own_socket", "a name that begins with '.' cannot be a folder's");
    }
    KVB_ASSIGN_OR_RETURN(const TenantSetting setting, SettingOf(written, tenant));
    if (!config.tenants.emplace(tenant.name(), setting).second) return written.Wrong("name", "stands there twice");
  }
  return absl::OkStatus();
}

// Nobody knows how many will come: what is assured to each of them could not be kept.
absl::Status SetDefaultTenant(const std::string& name, const config::v1::Broker& broker,
                              const TextFormat::ParseInfoTree& lines, BrokerConfig& config) {
  if (!broker.has_default_tenant()) return absl::OkStatus();
  const config::v1::Tenant& tenant = broker.default_tenant();
  const Written written(tenant, Nested(lines, "default_tenant", -1), name, " of default_tenant");
  if (!tenant.name().empty()) {
    return written.Wrong("name", absl::StrCat("it has none, and '", tenant.name(), "' is one"));
  }
  for (const auto& [field, text] : {std::pair("reserved", &tenant.reserved()), {"guarantee", &tenant.guarantee()}}) {
    if (!text->empty()) {
      return written.Wrong(field, absl::StrCat("'", *text, "' cannot be kept for whoever comes: list the tenant"));
    }
  }
  if (tenant.own_socket()) return written.Wrong("own_socket", "a tenant that is not listed has none: list it");
  KVB_ASSIGN_OR_RETURN(config.default_tenant, SettingOf(written, tenant));
  return absl::OkStatus();
}

template <typename T>
void Default(std::optional<T>& value, const std::optional<T>& other) {
  if (!value.has_value()) value = other;
}

}  // namespace

absl::Status CheckAssured(const std::map<std::string, TenantPolicy>& policies, Bytes capacity) {
  uint64_t sum = 0;  // not Bytes: a file may ask for more than there can be
  std::vector<std::string> assured;
  for (const auto& [name, policy] : policies) {
    if (policy.assured().IsZero()) continue;
    sum += std::min(policy.assured().in_bytes(), UINT64_MAX - sum);
    assured.push_back(absl::StrCat(name, " ", ToString(policy.assured())));
  }
  if (sum <= capacity.in_bytes()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("tenants are assured (reserved, or guaranteed) ", ToString(Bytes(sum)),
                                                 " in all, more than the capacity, ", ToString(capacity), ": ",
                                                 absl::StrJoin(assured, ", ")));
}

void BrokerConfig::FillFrom(const BrokerConfig& other) {
  Default(device, other.device);
  Default(capacity, other.capacity);
  Default(headroom, other.headroom);
  Default(host_memory, other.host_memory);
  Default(runtime_dir, other.runtime_dir);
  Default(state_dir, other.state_dir);
  Default(require_zero, other.require_zero);
  Default(default_tenant, other.default_tenant);
  for (const auto& [name, setting] : other.tenants) tenants[name].FillFrom(setting);
}

absl::StatusOr<std::map<std::string, TenantPolicy>> BrokerConfig::TenantPolicies(Bytes capacity) const {
  std::map<std::string, TenantPolicy> policies;
  for (const auto& [name, setting] : tenants) {
    const TenantPolicy policy = setting.Resolve(capacity);
    const absl::Status checked = CheckTenantPolicy(policy);
    if (!checked.ok()) return absl::InvalidArgumentError(absl::StrCat("tenant '", name, "': ", checked.message()));
    policies[name] = policy;
  }
  KVB_RETURN_IF_ERROR(CheckAssured(policies, capacity));
  return policies;
}

std::optional<TenantPolicy> BrokerConfig::OtherTenants(Bytes capacity) const {
  if (default_tenant.has_value()) return default_tenant->Resolve(capacity);
  if (tenants.empty()) return TenantPolicy{};
  return std::nullopt;
}

AccessRules BrokerConfig::Access() const {
  AccessRules rules;
  for (const auto& [name, setting] : tenants) rules.tenants[name] = setting.access;
  if (default_tenant.has_value()) rules.others = default_tenant->access;
  return rules;
}

absl::StatusOr<BrokerConfig> ParseConfig(const std::string& text, const std::string& name) {
  config::v1::Broker broker;
  TextFormat::ParseInfoTree lines;
  TextFormat::Parser parser;
  FirstParseError error;
  parser.RecordErrorsTo(&error);
  parser.WriteLocationsTo(&lines);
  if (!parser.ParseFromString(text, &broker)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ":", error.text()));
  }

  BrokerConfig config;
  if (!broker.device().empty()) config.device = broker.device();
  if (!broker.runtime_dir().empty()) config.runtime_dir = broker.runtime_dir();
  if (!broker.state_dir().empty()) config.state_dir = broker.state_dir();
  const Written written(broker, lines, name, "");
  if (written.Has("require_zero")) config.require_zero = broker.require_zero();
  KVB_RETURN_IF_ERROR(SetSize(written, "capacity", broker.capacity(), config.capacity));
  KVB_RETURN_IF_ERROR(SetSize(written, "headroom", broker.headroom(), config.headroom));
  KVB_RETURN_IF_ERROR(SetSize(written, "host_memory", broker.host_memory(), config.host_memory));
  KVB_RETURN_IF_ERROR(SetTenants(name, broker, lines, config));
  KVB_RETURN_IF_ERROR(SetDefaultTenant(name, broker, lines, config));
  return config;
}

absl::StatusOr<BrokerConfig> ReadConfig(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read the configuration ", path));
  std::stringstream text;
  text << file.rdbuf();
  return ParseConfig(text.str(), path);
}

}  // namespace kvbroker
