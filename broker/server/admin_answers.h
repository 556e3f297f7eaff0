#ifndef KVBROKER_BROKER_SERVER_ADMIN_ANSWERS_H_
#define KVBROKER_BROKER_SERVER_ADMIN_ANSWERS_H_

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "broker/core/report.h"
#include "broker/server/convert.h"

namespace kvbroker {

// What all calls of the admin service need to answer.

inline grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

inline absl::Status IsEnding() { return absl::UnavailableError("the broker is ending"); }

// The row of a tenant; null where there is none.
inline const BrokerReport::Tenant* FindTenant(const BrokerReport& report, absl::string_view name) {
  const auto it = std::find_if(report.tenants.begin(), report.tenants.end(),
                               [&](const BrokerReport::Tenant& tenant) { return tenant.name == name; });
  return it == report.tenants.end() ? nullptr : &*it;
}

// What percentages are of.
inline Bytes Whole(const BrokerReport& report) { return report.cap.value_or(report.total); }

// What a request asks for of a tenant, known or not.
inline absl::StatusOr<TenantPolicy> PolicyOf(const BrokerReport& report, const admin::v1::SetTenantRequest& request) {
  const BrokerReport::Tenant* tenant = FindTenant(report, request.tenant());
  return ToPolicy(request, tenant == nullptr ? TenantPolicy() : tenant->policy,
                  tenant == nullptr ? TenantPolicy() : tenant->configured, Whole(report));
}

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_ADMIN_ANSWERS_H_
