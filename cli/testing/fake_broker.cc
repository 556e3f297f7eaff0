#include "cli/testing/fake_broker.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/check.h"

namespace kvbroker::cli {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

}  // namespace

TempDir::TempDir() {
  char name[] = "/tmp/kvctlXXXXXX";
  KVB_CHECK(mkdtemp(name) != nullptr, "mkdtemp");
  path_ = name;
}

TempDir::~TempDir() { std::filesystem::remove_all(path_); }

admin::v1::Status SampleStatus() {
  admin::v1::Status status;
  status.set_device_uuid("HOST-demo");
  status.set_device_name("host memory, 24 GiB");
  status.set_device_kind("host");
  status.set_version("0.1.0");
  status.set_epoch(3);
  status.set_pid(4711);
  status.set_uptime_ms(3'750'000);
  status.set_sessions(3);
  status.set_tenants(2);
  admin::v1::Memory& memory = *status.mutable_memory();
  memory.set_total(24 * kGiB);
  memory.set_driver_free(15 * kGiB / 2);
  memory.set_capacity(20 * kGiB);
  memory.set_capacity_cap(20 * kGiB);
  memory.set_headroom(kGiB);
  memory.set_granted(25 * kGiB / 2);
  memory.set_draining(kGiB / 2);
  memory.set_used_by_others(3 * kGiB);
  memory.set_used_by_broker(4 << 20);
  memory.set_waiting(2 * kGiB);
  admin::v1::Counters& counters = *status.mutable_counters();
  counters.set_grants(40);
  counters.set_granted_slots(1600);
  counters.set_refusals(1);
  counters.set_sessions_opened(5);
  counters.set_sessions_ended(2);
  return status;
}

admin::v1::ListTenantsResponse SampleTenants() {
  admin::v1::ListTenantsResponse response;
  admin::v1::Tenant& batch = *response.add_tenants();
  batch.set_name("batch");
  batch.set_unlimited(true);
  batch.set_granted(9 * kGiB / 2);
  batch.set_wanted(9 * kGiB / 2);
  batch.set_peak(9 * kGiB);
  batch.set_sessions(1);
  admin::v1::Tenant& chat = *response.add_tenants();
  chat.set_name("chat");
  chat.set_limit(10 * kGiB);
  chat.set_configured_limit(8 * kGiB);
  chat.set_granted(8 * kGiB);
  chat.set_wanted(10 * kGiB);
  chat.set_peak(10 * kGiB);
  chat.set_sessions(2);
  return response;
}

admin::v1::ListSessionsResponse SampleSessions() {
  admin::v1::ListSessionsResponse response;
  admin::v1::Session& first = *response.add_sessions();
  first.set_session_id(1);
  first.set_tenant("chat");
  first.set_instance_id("chat-0");
  first.set_state("active");
  first.set_pid(4712);
  first.set_engine("vllm");
  first.set_granted(8 * kGiB);
  first.set_active(15 * kGiB / 2);
  first.set_in_flight(kGiB / 2);
  first.set_wanted(10 * kGiB);
  first.set_target(10 * kGiB);
  first.set_age_ms(3'660'000);
  first.set_arenas(1);
  admin::v1::Session& second = *response.add_sessions();
  second.set_session_id(12);
  second.set_tenant("batch");
  second.set_state("draining");
  second.set_pid(98765);
  second.set_granted(9 * kGiB / 2);
  second.set_returning(kGiB / 2);
  second.set_wanted(9 * kGiB / 2);
  second.set_target(UINT64_MAX);
  second.set_age_ms(12'345);
  return response;
}

admin::v1::Snapshot SampleSnapshot() {
  admin::v1::Snapshot snapshot;
  *snapshot.mutable_status() = SampleStatus();
  *snapshot.mutable_tenants() = SampleTenants().tenants();
  snapshot.set_time_ms(12'500);
  return snapshot;
}

FakeBroker::FakeBroker(const std::string& runtime_dir, const std::string& uuid)
    : socket_(absl::StrCat(runtime_dir, "/", uuid, "/admin/admin.sock")) {
  std::filesystem::create_directories(std::filesystem::path(socket_).parent_path());
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("unix:", socket_), grpc::InsecureServerCredentials());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  KVB_CHECK(server_ != nullptr, "the fake broker cannot listen");
}

FakeBroker::~FakeBroker() {
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  server_->Shutdown();
}

void FakeBroker::Fail(grpc::Status status) {
  absl::MutexLock lock(&mu_);
  failure_ = std::move(status);
}

void FakeBroker::SendSamples(int samples, ThenWatch then) {
  absl::MutexLock lock(&mu_);
  samples_ = samples;
  then_ = then;
}

std::vector<admin::v1::SetLimitRequest> FakeBroker::limits() {
  absl::MutexLock lock(&mu_);
  return limits_;
}

int FakeBroker::watches() {
  absl::MutexLock lock(&mu_);
  return watches_;
}

grpc::Status FakeBroker::Failure() {
  absl::MutexLock lock(&mu_);
  return failure_;
}

grpc::Status FakeBroker::GetStatus(grpc::ServerContext*, const admin::v1::GetStatusRequest*,
                                   admin::v1::Status* response) {
  *response = SampleStatus();
  return Failure();
}

grpc::Status FakeBroker::ListTenants(grpc::ServerContext*, const admin::v1::ListTenantsRequest*,
                                     admin::v1::ListTenantsResponse* response) {
  *response = SampleTenants();
  return Failure();
}

grpc::Status FakeBroker::ListSessions(grpc::ServerContext*, const admin::v1::ListSessionsRequest*,
                                      admin::v1::ListSessionsResponse* response) {
  *response = SampleSessions();
  return Failure();
}

grpc::Status FakeBroker::SetLimit(grpc::ServerContext*, const admin::v1::SetLimitRequest* request,
                                  admin::v1::SetLimitResponse* response) {
  {
    absl::MutexLock lock(&mu_);
    limits_.push_back(*request);
  }
  response->set_unlimited(request->none());
  response->set_limit(request->has_percent() ? static_cast<uint64_t>(request->percent() / 100 * 20 * kGiB)
                                             : request->bytes());
  if (!request->none()) response->set_bytes_over(8 * kGiB - std::min(8 * kGiB, response->limit()));
  return Failure();
}

grpc::Status FakeBroker::Watch(grpc::ServerContext* context, const admin::v1::WatchRequest* request,
                               grpc::ServerWriter<admin::v1::Snapshot>* writer) {
  admin::v1::Snapshot snapshot = SampleSnapshot();
  absl::MutexLock lock(&mu_);
  ++watches_;
  if (!failure_.ok()) return failure_;
  for (int sent = 0; sent < samples_ && !ending_ && !context->IsCancelled(); ++sent) {
    mu_.Unlock();
    writer->Write(snapshot);
    mu_.Lock();
    snapshot.set_time_ms(snapshot.time_ms() + request->interval_ms());
    mu_.AwaitWithTimeout(absl::Condition(&ending_), absl::Milliseconds(20));
  }
  while (then_ == ThenWatch::kWaits && !ending_ && !context->IsCancelled()) {
    mu_.AwaitWithTimeout(absl::Condition(&ending_), absl::Milliseconds(20));
  }
  if (then_ == ThenWatch::kEnds) return grpc::Status::OK;
  return {grpc::StatusCode::UNAVAILABLE, "the broker is ending"};
}

}  // namespace kvbroker::cli
