#include "broker/server/admin_service.h"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "broker/server/admin_answers.h"
#include "broker/server/convert.h"
#include "broker/server/event_log.h"
#include "broker/server/explain_session.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status.h"
#include "common/base/version.h"

namespace kvbroker {
namespace {

constexpr int kMostThreads = 2 * AdminService::kMostWatchers;  // watchers keep one each
constexpr uint32_t kDefaultWatchMs = 500;
constexpr uint32_t kFastestWatchMs = 50;
constexpr size_t kMostEvents = 256;  // in a batch
// Within so long: a caller who leaves, news for who follows.
constexpr absl::Duration kNoticed = absl::Milliseconds(200);

}  // namespace

absl::StatusOr<std::unique_ptr<AdminService>> AdminService::Start(const std::string& path, Broker& broker,
                                                                  EventLoop& loop, const DeviceInfo& device,
                                                                  const Kept& kept) {
  KVB_ASSIGN_OR_RETURN(std::unique_ptr<AdminDoor> door, AdminDoor::Open(path, loop));
  std::unique_ptr<AdminService> service(new AdminService(std::move(door), broker, loop, device, kept));
  grpc::ServerBuilder builder;
  grpc::ResourceQuota quota("kvbroker-admin");
  quota.SetMaxThreads(kMostThreads);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(64 << 10);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.RegisterService(service.get());
  service->server_ = builder.BuildAndStart();
  if (service->server_ == nullptr) return absl::InternalError(absl::StrCat("cannot serve on ", path));
  KVB_RETURN_IF_ERROR(service->door_->Admit(*service->server_));
  return service;
}

AdminService::AdminService(std::unique_ptr<AdminDoor> door, Broker& broker, EventLoop& loop, const DeviceInfo& device,
                           const Kept& kept)
    : door_(std::move(door)),
      broker_(broker),
      loop_(loop),
      device_(device),
      started_(MonotonicNow()),
      policies_(kept.policies),
      drain_mark_(kept.drain_mark) {}

AdminService::~AdminService() {
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}

absl::StatusOr<BrokerReport> AdminService::Report() {
  BrokerReport report;
  if (!loop_.Call([&] { report = broker_.Report(); })) return IsEnding();
  return report;
}

void AdminService::Fill(const BrokerReport& report, admin::v1::Status& status) const {
  FillStatus(report, status);
  status.set_device_uuid(device_.uuid);
  status.set_device_name(device_.name);
  status.set_device_kind(device_.kind);
  status.set_version(kVersion);
  status.set_zeroing(report.zeroing.ok()                   ? "verified"
                     : absl::IsUnavailable(report.zeroing) ? "checking"
                     : absl::IsDataLoss(report.zeroing)
                         ? absl::StrCat("NOT ZEROED: ", report.zeroing.message())
                         : absl::StrCat("could not be checked: ", report.zeroing.message()));
  status.set_epoch(broker_.epoch());
  status.set_pid(getpid());
  status.set_uptime_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(MonotonicNow() - started_)));
  status.mutable_memory()->set_used_by_broker(report.used_by_broker.in_bytes());
}

grpc::Status AdminService::GetStatus(grpc::ServerContext* context, const admin::v1::GetStatusRequest*,
                                     admin::v1::Status* response) {
  if (const auto caller = door_->Caller(*context); !caller.ok()) return ToGrpc(caller.status());
  const absl::StatusOr<BrokerReport> report = Report();
  if (!report.ok()) return ToGrpc(report.status());
  Fill(*report, *response);
  return grpc::Status::OK;
}

grpc::Status AdminService::ListTenants(grpc::ServerContext* context, const admin::v1::ListTenantsRequest*,
                                       admin::v1::ListTenantsResponse* response) {
  if (const auto caller = door_->Caller(*context); !caller.ok()) return ToGrpc(caller.status());
  const absl::StatusOr<BrokerReport> report = Report();
  if (!report.ok()) return ToGrpc(report.status());
  for (const BrokerReport::Tenant& tenant : report->tenants) FillTenant(tenant, *response->add_tenants());
  return grpc::Status::OK;
}

grpc::Status AdminService::ListSessions(grpc::ServerContext* context, const admin::v1::ListSessionsRequest*,
                                        admin::v1::ListSessionsResponse* response) {
  if (const auto caller = door_->Caller(*context); !caller.ok()) return ToGrpc(caller.status());
  const absl::StatusOr<BrokerReport> report = Report();
  if (!report.ok()) return ToGrpc(report.status());
  for (const BrokerReport::Session& session : report->sessions) FillSession(session, *response->add_sessions());
  return grpc::Status::OK;
}

grpc::Status AdminService::Simulate(grpc::ServerContext* context, const admin::v1::SimulateRequest* request,
                                    admin::v1::SimulateResponse* response) {
  if (const auto caller = door_->Caller(*context); !caller.ok()) return ToGrpc(caller.status());
  Arbiter::Simulation before;
  absl::StatusOr<Arbiter::Simulation> after = absl::UnknownError("not asked");
  const bool asked = loop_.Call([&] {
    const BrokerReport report = broker_.Report();
    const absl::StatusOr<TenantPolicy> policy = PolicyOf(report, request->change());
    const absl::Status good = policy.ok() ? CheckTenantPolicy(*policy) : policy.status();
    if (!good.ok()) {
      after = good;
      return;
    }
    before = broker_.PlanNow();
    after =
        broker_.Simulate(request->change().tenant(),
                         request->has_want() ? std::optional<Bytes>(Bytes(request->want())) : std::nullopt, *policy);
  });
  if (!asked) return ToGrpc(IsEnding());
  if (!after.ok()) return ToGrpc(after.status());
  FillSimulation(before, *after, *response);
  return grpc::Status::OK;
}

grpc::Status AdminService::Why(grpc::ServerContext* context, const admin::v1::WhyRequest* request,
                               admin::v1::WhyResponse* response) {
  if (const auto caller = door_->Caller(*context); !caller.ok()) return ToGrpc(caller.status());
  BrokerReport report;
  Arbiter::Simulation now;
  const bool asked = loop_.Call([&] {
    report = broker_.Report();
    now = broker_.PlanNow();
  });
  if (!asked) return ToGrpc(IsEnding());
  const SessionId id(request->session_id());
  const auto session = std::find_if(report.sessions.begin(), report.sessions.end(),
                                    [&](const BrokerReport::Session& row) { return row.id == id; });
  if (session == report.sessions.end()) {
    return ToGrpc(
        absl::NotFoundError(absl::StrCat("no session ", request->session_id(), "; kvctl sessions lists them")));
  }
  FillSession(*session, *response->mutable_session());
  FillTenant(*FindTenant(report, session->tenant), *response->mutable_tenant());
  ExplainSession(report, *session, now, *response);
  return grpc::Status::OK;
}

grpc::Status AdminService::ListRooms(grpc::ServerContext* context, const admin::v1::ListRoomsRequest*,
                                     admin::v1::ListRoomsResponse* response) {
  if (const auto caller = door_->Caller(*context); !caller.ok()) return ToGrpc(caller.status());
  const absl::StatusOr<BrokerReport> report = Report();
  if (!report.ok()) return ToGrpc(report.status());
  for (const BrokerReport::RoomRow& room : report->rooms) FillRoom(room, *response->add_rooms());
  return grpc::Status::OK;
}

absl::Status AdminService::Enter() {
  absl::MutexLock lock(&mu_);
  if (watchers_ == kMostWatchers) {
    return absl::ResourceExhaustedError(
        absl::StrCat(kMostWatchers, " callers watch the broker or wait already, which is the most at once"));
  }
  ++watchers_;
  return absl::OkStatus();
}

void AdminService::Leave() {
  absl::MutexLock lock(&mu_);
  --watchers_;
}

absl::Status AdminService::WaitUntil(absl::Time when, const grpc::ServerContext& context) {
  // In slices, so that a caller who leaves is noticed before the time has come.
  for (absl::Duration left = when - MonotonicNow(); left > absl::ZeroDuration() && !context.IsCancelled();
       left = when - MonotonicNow()) {
    absl::MutexLock lock(&mu_);
    if (mu_.AwaitWithTimeout(absl::Condition(&ending_), std::min(left, kNoticed))) {
      return IsEnding();
    }
  }
  return absl::OkStatus();
}

grpc::Status AdminService::Events(grpc::ServerContext* context, const admin::v1::EventsRequest* request,
                                  grpc::ServerWriter<admin::v1::EventBatch>* writer) {
  if (const auto caller = door_->Caller(*context); !caller.ok()) return ToGrpc(caller.status());
  if (const absl::Status entered = Enter(); !entered.ok()) return ToGrpc(entered);
  const absl::Cleanup leave = [this] { Leave(); };
  uint64_t after = request->after();
  while (!context->IsCancelled()) {
    std::vector<EventLog::Entry> entries;
    if (!loop_.Call([&] { entries = broker_.event_log().Since(after, kMostEvents); })) {
      return ToGrpc(IsEnding());
    }
    if (!entries.empty()) {
      admin::v1::EventBatch batch;
      for (const EventLog::Entry& entry : entries) FillEvent(entry, *batch.add_events());
      after = entries.back().number;
      if (!writer->Write(batch)) break;
      continue;
    }
    if (!request->follow()) break;
    if (const absl::Status waited = WaitUntil(MonotonicNow() + kNoticed, *context); !waited.ok()) return ToGrpc(waited);
  }
  return grpc::Status::OK;
}

grpc::Status AdminService::Watch(grpc::ServerContext* context, const admin::v1::WatchRequest* request,
                                 grpc::ServerWriter<admin::v1::Snapshot>* writer) {
  if (const auto caller = door_->Caller(*context); !caller.ok()) return ToGrpc(caller.status());
  const uint32_t interval_ms = request->interval_ms() == 0 ? kDefaultWatchMs : request->interval_ms();
  if (interval_ms < kFastestWatchMs) {
    return ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("an interval of ", interval_ms, " ms is shorter than ", kFastestWatchMs, " ms")));
  }
  if (const absl::Status entered = Enter(); !entered.ok()) return ToGrpc(entered);
  const absl::Cleanup leave = [this] { Leave(); };
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
    if (const absl::Status waited = WaitUntil(next, *context); !waited.ok()) return ToGrpc(waited);
  }
  return grpc::Status::OK;
}

}  // namespace kvbroker
