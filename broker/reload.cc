#include "broker/reload.h"

#include "common/base/status.h"

namespace kvbroker {

std::vector<std::string> WhatNeedsARestart(const BrokerConfig& now, const BrokerConfig& then) {
  std::vector<std::string> names;
  const auto compare = [&](const char* name, const auto& a, const auto& b) {
    if (a != b) names.push_back(name);
  };
  compare("device", now.device, then.device);
  compare("capacity", now.capacity, then.capacity);
  compare("headroom", now.headroom, then.headroom);
  compare("host_memory", now.host_memory, then.host_memory);
  compare("runtime_dir", now.runtime_dir, then.runtime_dir);
  compare("state_dir", now.state_dir, then.state_dir);
  compare("require_zero", now.require_zero, then.require_zero);
  return names;
}

absl::StatusOr<std::map<std::string, std::string>> TenantSockets(const RuntimeDir& dir, const AccessRules& access) {
  std::map<std::string, std::string> sockets;
  for (const auto& [tenant, rule] : access.tenants) {
    if (!rule.own_socket) continue;
    KVB_ASSIGN_OR_RETURN(sockets[tenant], dir.TenantSocket(tenant));
  }
  return sockets;
}

absl::Status Reload(const BrokerConfig& config, Bytes capacity, const RuntimeDir& dir, Broker& broker) {
  KVB_ASSIGN_OR_RETURN(const auto tenants, config.TenantPolicies(capacity));
  const AccessRules access = config.Access();
  KVB_ASSIGN_OR_RETURN(const auto sockets, TenantSockets(dir, access));
  const absl::Status opened =
      broker.Configure({.tenants = tenants, .others = config.OtherTenants(capacity), .access = access}, sockets);
  return opened.ok() ? opened : absl::UnavailableError(opened.message());
}

}  // namespace kvbroker
