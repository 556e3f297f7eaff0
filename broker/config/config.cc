#include "broker/config/config.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "proto/config.pb.h"

namespace kvbroker {
namespace {

// Keeps the first error that the parser finds.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat(line + 1, ":", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::Status In(const std::string& name, absl::string_view field, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", field, ": ", status.message()));
}

absl::Status SetSize(const std::string& name, absl::string_view field, const std::string& text,
                     std::optional<Bytes>& size) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<Bytes> parsed = ParseBytes(text);
  if (!parsed.ok()) return In(name, field, parsed.status());
  size = *parsed;
  return absl::OkStatus();
}

absl::StatusOr<LimitSetting> LimitOf(const std::string& name, const config::v1::Tenant& tenant) {
  const absl::StatusOr<LimitSetting> limit = ParseLimit(tenant.limit().empty() ? "none" : tenant.limit());
  if (!limit.ok()) return In(name, absl::StrCat("limit of tenant '", tenant.name(), "'"), limit.status());
  return *limit;
}

template <typename T>
void Default(std::optional<T>& value, const std::optional<T>& other) {
  if (!value.has_value()) value = other;
}

}  // namespace

void BrokerConfig::FillFrom(const BrokerConfig& other) {
  Default(device, other.device);
  Default(capacity, other.capacity);
  Default(headroom, other.headroom);
  Default(host_memory, other.host_memory);
  Default(runtime_dir, other.runtime_dir);
  Default(state_dir, other.state_dir);
  Default(default_tenant, other.default_tenant);
  tenants.insert(other.tenants.begin(), other.tenants.end());
}

std::map<std::string, TenantPolicy> BrokerConfig::TenantPolicies(Bytes capacity) const {
  std::map<std::string, TenantPolicy> policies;
  for (const auto& [name, limit] : tenants) policies[name] = {.limit = limit.Resolve(capacity)};
  return policies;
}

std::optional<TenantPolicy> BrokerConfig::OtherTenants(Bytes capacity) const {
  if (default_tenant.has_value()) return TenantPolicy{.limit = default_tenant->Resolve(capacity)};
  if (tenants.empty()) return TenantPolicy{};
  return std::nullopt;
}

absl::StatusOr<BrokerConfig> ParseConfig(const std::string& text, const std::string& name) {
  config::v1::Broker broker;
  google::protobuf::TextFormat::Parser parser;
  FirstError error;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &broker)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ":", error.text()));
  }

  BrokerConfig config;
  if (!broker.device().empty()) config.device = broker.device();
  if (!broker.runtime_dir().empty()) config.runtime_dir = broker.runtime_dir();
  if (!broker.state_dir().empty()) config.state_dir = broker.state_dir();
  KVB_RETURN_IF_ERROR(SetSize(name, "capacity", broker.capacity(), config.capacity));
  KVB_RETURN_IF_ERROR(SetSize(name, "headroom", broker.headroom(), config.headroom));
  KVB_RETURN_IF_ERROR(SetSize(name, "host_memory", broker.host_memory(), config.host_memory));
  for (const config::v1::Tenant& tenant : broker.tenant()) {
    const absl::Status named = CheckTenantName(tenant.name());
    if (!named.ok()) return In(name, "tenant", named);
    KVB_ASSIGN_OR_RETURN(const LimitSetting limit, LimitOf(name, tenant));
    if (!config.tenants.emplace(tenant.name(), limit).second) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": tenant '", tenant.name(), "' stands there twice"));
    }
  }
  if (broker.has_default_tenant()) {
    if (!broker.default_tenant().name().empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": default_tenant has no name, and '", broker.default_tenant().name(), "' is one"));
    }
    KVB_ASSIGN_OR_RETURN(config.default_tenant, LimitOf(name, broker.default_tenant()));
  }
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
