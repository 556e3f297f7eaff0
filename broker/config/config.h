#ifndef KVBROKER_BROKER_CONFIG_CONFIG_H_
#define KVBROKER_BROKER_CONFIG_CONFIG_H_

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/config/tenant_setting.h"
#include "broker/core/tenants.h"
#include "common/base/bytes.h"

namespace kvbroker {

// How a broker is set up, from flags and the configuration file alike. Whatever is not set has its default.
struct BrokerConfig {
  std::optional<std::string> device;
  std::optional<Bytes> capacity;
  std::optional<Bytes> headroom;
  std::optional<Bytes> host_memory;
  std::optional<std::string> runtime_dir;
  std::optional<std::string> state_dir;
  std::optional<bool> require_zero;
  std::map<std::string, TenantSetting> tenants;
  std::optional<TenantSetting> default_tenant;  // assures nothing

  // Takes from `other` what is not set here, of tenants that are named in both too.
  void FillFrom(const BrokerConfig& other);

  // The tenants as the arbiter knows them, where the capacity is `capacity`. INVALID_ARGUMENT names the tenant whose
  // numbers do not go together; or what all are assured, and the capacity, which is less.
  absl::StatusOr<std::map<std::string, TenantPolicy>> TenantPolicies(Bytes capacity) const;
  // What others are admitted under. None: they are refused. Where no tenant is listed and no default is given,
  // everybody is admitted.
  std::optional<TenantPolicy> OtherTenants(Bytes capacity) const;
  // Who may be whom.
  AccessRules Access() const;
};

// INVALID_ARGUMENT: all together are assured of more than the capacity; names both, and who of how much.
absl::Status CheckAssured(const std::map<std::string, TenantPolicy>& policies, Bytes capacity);

// Reads a kvbroker.config.v1.Broker in text format. INVALID_ARGUMENT: names the file, the line and what is wrong there.
// NOT_FOUND: no such file.
absl::StatusOr<BrokerConfig> ReadConfig(const std::string& path);
// The same of a text; `name` stands for the file in errors.
absl::StatusOr<BrokerConfig> ParseConfig(const std::string& text, const std::string& name);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CONFIG_CONFIG_H_
