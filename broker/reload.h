#ifndef KVBROKER_BROKER_RELOAD_H_
#define KVBROKER_BROKER_RELOAD_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/config/config.h"
#include "broker/server/broker.h"
#include "broker/server/runtime_dir.h"
#include "common/base/bytes.h"

namespace kvbroker {

// Who may be a tenant, and what tenants are promised, can change while a broker runs; the rest of a configuration is known at
// its start.

// What of the rest is another in `then` than in `now`, by its names in the file.
std::vector<std::string> WhatNeedsARestart(const BrokerConfig& now, const BrokerConfig& then);

// The paths of the sockets of tenants that have their own, by tenant; their folders are made.
absl::StatusOr<std::map<std::string, std::string>> TenantSockets(const RuntimeDir& dir, const AccessRules& access);

// Makes `config` hold as far as that is possible for a broker that runs. INVALID_ARGUMENT: it is wrong, and all stays as it was.
// Else: a tenant's own socket cannot be opened, and the rest holds. From the loop's thread.
absl::Status Reload(const BrokerConfig& config, Bytes capacity, const RuntimeDir& dir, Broker& broker);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_RELOAD_H_
