#include "broker/server/admin_service.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "broker/server/convert.h"
#include "common/base/clock.h"
#include "common/base/version.h"
#include "common/ipc/packet.h"

namespace kvbroker {
namespace {

constexpr int kMostThreads = 2 * AdminService::kMostWatchers;  // watchers keep one each
constexpr uint32_t kDefaultWatchMs = 500;
constexpr uint32_t kFastestWatchMs = 50;

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

absl::StatusOr<std::optional<Bytes>> LimitOf(const admin::v1::SetLimitRequest& request, Bytes whole) {
  switch (request.limit_case()) {
    case admin::v1::SetLimitRequest::kBytes:
      return Bytes(request.bytes());
    case admin::v1::SetLimitRequest::kPercent:
      if (!(request.percent() >= 0 && request.percent() <= 100)) {
        return absl::InvalidArgumentError(absl::StrCat(request.percent(), "% is no percentage from 0% to 100%"));
      }
      return Bytes(static_cast<uint64_t>(static_cast<double>(whole.in_bytes()) * request.percent() / 100));
    case admin::v1::SetLimitRequest::kNone:
      return std::nullopt;
    case admin::v1::SetLimitRequest::LIMIT_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("no limit is given: bytes, percent or none");
}

}  // namespace

absl::StatusOr<std::unique_ptr<AdminService>> AdminService::Start(const std::string& path, Broker& broker,
                                                                  EventLoop& loop, const DeviceInfo& device) {
  if (const absl::Status fits = CheckSocketPath(path); !fits.ok()) return fits;
  std::unique_ptr<AdminService> service(new AdminService(broker, loop, device));
  grpc::ServerBuilder builder;
  grpc::ResourceQuota quota("kvbroker-admin");
  quota.SetMaxThreads(kMostThreads);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(64 << 10);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.AddListeningPort(absl::StrCat("unix:", path), grpc::InsecureServerCredentials());
  builder.RegisterService(service.get());
  service->server_ = builder.BuildAndStart();
  if (service->server_ == nullptr) return absl::InternalError(absl::StrCat("cannot serve on ", path));
  return service;
}

AdminService::AdminService(Broker& broker, EventLoop& loop, const DeviceInfo& device)
    : broker_(broker), loop_(loop), device_(device), started_(MonotonicNow()) {}

AdminService::~AdminService() {
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}

absl::StatusOr<BrokerReport> AdminService::Report() {
  BrokerReport report;
  if (!loop_.Call([&] { report = broker_.Report(); })) return absl::UnavailableError("the broker is ending");
  return report;
}

void AdminService::Fill(const BrokerReport& report, admin::v1::Status& status) const {
  FillStatus(report, status);
  status.set_device_uuid(device_.uuid);
  status.set_device_name(device_.name);
  status.set_device_kind(device_.kind);
  status.set_version(kVersion);
  status.set_epoch(broker_.epoch());
  status.set_pid(getpid());
  status.set_uptime_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(MonotonicNow() - started_)));
  status.mutable_memory()->set_used_by_broker(report.used_by_broker.in_bytes());
}

grpc::Status AdminService::GetStatus(grpc::ServerContext*, const admin::v1::GetStatusRequest*,
                                     admin::v1::Status* response) {
  const absl::StatusOr<BrokerReport> report = Report();
  if (!report.ok()) return ToGrpc(report.status());
  Fill(*report, *response);
  return grpc::Status::OK;
}

grpc::Status AdminService::ListTenants(grpc::ServerContext*, const admin::v1::ListTenantsRequest*,
                                       admin::v1::ListTenantsResponse* response) {
  const absl::StatusOr<BrokerReport> report = Report();
  if (!report.ok()) return ToGrpc(report.status());
  for (const BrokerReport::Tenant& tenant : report->tenants) FillTenant(tenant, *response->add_tenants());
  return grpc::Status::OK;
}

grpc::Status AdminService::ListSessions(grpc::ServerContext*, const admin::v1::ListSessionsRequest*,
                                        admin::v1::ListSessionsResponse* response) {
  const absl::StatusOr<BrokerReport> report = Report();
  if (!report.ok()) return ToGrpc(report.status());
  for (const BrokerReport::Session& session : report->sessions) FillSession(session, *response->add_sessions());
  return grpc::Status::OK;
}

grpc::Status AdminService::SetLimit(grpc::ServerContext*, const admin::v1::SetLimitRequest* request,
                                    admin::v1::SetLimitResponse* response) {
  Broker::LimitAnswer answer;
  const bool asked = loop_.Call([&] {
    const BrokerReport report = broker_.Report();
    const absl::StatusOr<std::optional<Bytes>> limit = LimitOf(*request, report.cap.value_or(report.total));
    if (limit.ok()) {
      answer = broker_.SetLimit(request->tenant(), *limit);
    } else {
      answer.status = limit.status();
    }
  });
  if (!asked) return ToGrpc(absl::UnavailableError("the broker is ending"));
  if (!answer.status.ok()) return ToGrpc(answer.status);
  response->set_unlimited(!answer.limit.has_value());
  response->set_limit(answer.limit.value_or(Bytes()).in_bytes());
  response->set_bytes_over(answer.over.in_bytes());
  return grpc::Status::OK;
}

grpc::Status AdminService::Watch(grpc::ServerContext* context, const admin::v1::WatchRequest* request,
                                 grpc::ServerWriter<admin::v1::Snapshot>* writer) {
  const uint32_t interval_ms = request->interval_ms() == 0 ? kDefaultWatchMs : request->interval_ms();
  if (interval_ms < kFastestWatchMs) {
    return ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("an interval of ", interval_ms, " ms is shorter than ", kFastestWatchMs, " ms")));
  }
  {
    absl::MutexLock lock(&mu_);
    if (watchers_ == kMostWatchers) {
      return ToGrpc(absl::ResourceExhaustedError(
          absl::StrCat("the broker is watched ", kMostWatchers, " times already, which is the most at once")));
    }
    ++watchers_;
  }
  const absl::Cleanup leave = [this] {
    absl::MutexLock lock(&mu_);
    --watchers_;
  };
  absl::Time next = MonotonicNow();
  while (!context->IsCancelled()) {
    const absl::StatusOr<BrokerReport> report = Report();
    if (!report.ok()) return ToGrpc(report.status());
    admin::v1::Snapshot snapshot;
    Fill(*report, *snapshot.mutable_status());
    for (const BrokerReport::Tenant& tenant : report->tenants) FillTenant(tenant, *snapshot.add_tenants());
    snapshot.set_time_ms(snapshot.status().uptime_ms());
    if (!writer->Write(snapshot)) break;

    next = std::max(next + absl::Milliseconds(interval_ms), MonotonicNow());
    // In slices, so that a caller who leaves is noticed before the interval is over.
    for (absl::Duration left = next - MonotonicNow(); left > absl::ZeroDuration() && !context->IsCancelled();
         left = next - MonotonicNow()) {
      absl::MutexLock lock(&mu_);
      if (mu_.AwaitWithTimeout(absl::Condition(&ending_), std::min(left, absl::Milliseconds(200)))) {
        return ToGrpc(absl::UnavailableError("the broker is ending"));
      }
    }
  }
  return grpc::Status::OK;
}

}  // namespace kvbroker
