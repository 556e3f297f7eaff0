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

void AddChat(admin::v1::ListTenantsResponse& response) {
  admin::v1::Tenant& chat = *response.add_tenants();
  chat.set_name("chat");
  admin::v1::TenantPolicy& configured = *chat.mutable_configured();
  configured.set_limit(8 * kGiB);
  configured.set_guarantee_deadline_ms(1000);
  configured.set_weight(100);
  configured.set_tenant_class(admin::v1::INTERACTIVE);
  configured.set_missed_target(admin::v1::NO_GROWTH);
  admin::v1::TenantPolicy& policy = *chat.mutable_policy();
  policy = configured;
  policy.set_limit(10 * kGiB);
  policy.set_guarantee(4 * kGiB);
  policy.set_guarantee_deadline_ms(250);
  policy.set_weight(200);
  chat.set_granted(8 * kGiB);
  chat.set_wanted(10 * kGiB);
  chat.set_entitled(9 * kGiB);
  chat.set_peak(10 * kGiB);
  chat.set_sessions(2);
  chat.set_external(2 * kGiB);
  chat.set_trimmable(kGiB);
  chat.set_floor(kGiB);
  chat.set_has_turn(true);
  chat.set_waited_ms(12'345);
  chat.set_starved_ms(1'234);
  chat.set_guarantee_waits(4);
  chat.set_guarantee_misses(1);
  chat.set_guarantee_wait_ms(400);
  chat.set_missed_targets(2);
  chat.set_reclaimed(3 * kGiB);
}

admin::v1::SimulateResponse::Row RowOf(const admin::v1::Tenant& tenant, uint64_t entitled, uint64_t granted,
                                       uint64_t asked_back, const char* because) {
  admin::v1::SimulateResponse::Row row;
  row.set_tenant(tenant.name());
  row.set_held(tenant.granted());
  row.set_wanted(tenant.wanted());
  row.set_entitled_before(tenant.entitled());
  row.set_entitled_after(entitled);
  row.set_granted(granted);
  row.set_asked_back(asked_back);
  row.set_because(because);
  return row;
}

void AddRoom(admin::v1::ListRoomsResponse& response, uint64_t session, const char* tenant, const char* state,
             uint64_t bytes, uint64_t used, uint64_t age_ms) {
  admin::v1::Room& room = *response.add_rooms();
  room.set_session_id(session);
  room.set_tenant(tenant);
  room.set_state(state);
  room.set_bytes(bytes);
  room.set_used(used);
  room.set_age_ms(age_ms);
}

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
  memory.set_policy_revision(7);
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
  admin::v1::TenantPolicy& policy = *batch.mutable_policy();
  policy.set_unlimited(true);
  policy.set_reserved(kGiB);
  policy.set_guarantee_deadline_ms(1000);
  policy.set_weight(50);
  policy.set_tenant_class(admin::v1::BATCH);
  policy.set_missed_target(admin::v1::END_PROCESS);
  *batch.mutable_configured() = policy;
  batch.set_granted(9 * kGiB / 2);
  batch.set_wanted(9 * kGiB / 2);
  batch.set_entitled(9 * kGiB / 2);
  batch.set_peak(9 * kGiB);
  batch.set_sessions(1);
  AddChat(response);
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
  first.mutable_holding()->set_spare(kGiB / 4);
  first.mutable_holding()->set_free(kGiB / 2);
  first.mutable_holding()->add_cached_by_age(kGiB);
  first.mutable_holding()->add_cached_by_age(kGiB / 2);
  first.set_missed_targets(2);
  first.set_over_target(true);
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

admin::v1::EventBatch SampleEvents() {
  admin::v1::EventBatch batch;
  admin::v1::BrokerEvent& granted = *batch.add_events();
  granted.set_number(7);
  granted.set_time_ms(1'795'818'604'117);
  granted.set_text("granted session=1 lease=1 slots_since_opening=4");
  admin::v1::BrokerEvent& missed = *batch.add_events();
  missed.set_number(8);
  missed.set_time_ms(1'795'818'605'000);
  missed.set_warning(true);
  missed.set_text("target missed session=1 tenant=chat");
  return batch;
}

admin::v1::ListRoomsResponse SampleRooms() {
  admin::v1::ListRoomsResponse response;
  AddRoom(response, 3, "launch", "ready", 2 * kGiB, kGiB / 2, 4'000);
  response.mutable_rooms(0)->set_pid(4720);
  response.mutable_rooms(0)->set_engine("kvctl launch: python");
  response.mutable_rooms(0)->set_held_back(3 * kGiB / 2);
  AddRoom(response, 4, "chat", "waiting", 6 * kGiB, 0, 500);
  response.mutable_rooms(1)->set_pid(4721);
  AddRoom(response, 1, "chat", "settled", 2 * kGiB, 2 * kGiB, 3'660'000);
  response.mutable_rooms(2)->set_pid(4712);
  response.mutable_rooms(2)->set_engine("vllm");
  return response;
}

admin::v1::SimulateResponse SampleSimulation() {
  const admin::v1::ListTenantsResponse tenants = SampleTenants();
  admin::v1::SimulateResponse response;
  *response.add_rows() = RowOf(tenants.tenants(0), 9 * kGiB / 2, 0, kGiB, "its fair share of weight 50");
  *response.add_rows() = RowOf(tenants.tenants(1), 10 * kGiB, kGiB, 0, "its limit");
  response.set_guarantee_at_risk(2 * kGiB);
  return response;
}

admin::v1::WhyResponse SampleWhy() {
  admin::v1::WhyResponse response;
  *response.mutable_session() = SampleSessions().sessions(0);
  response.mutable_session()->set_over_target(false);
  *response.mutable_tenant() = SampleTenants().tenants(1);
  response.set_rule("limit");
  response.set_because("chat has reached its limit");
  response.add_facts("the limit of chat is 10.0 GiB");
  response.add_facts("its other session holds 2.0 GiB");
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

std::vector<admin::v1::SetTenantRequest> FakeBroker::changes() {
  absl::MutexLock lock(&mu_);
  return changes_;
}

std::vector<admin::v1::SimulateRequest> FakeBroker::simulations() {
  absl::MutexLock lock(&mu_);
  return simulations_;
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
  absl::MutexLock lock(&mu_);
  if (sessions_left_.has_value()) {
    while (response->sessions_size() > *sessions_left_) response->mutable_sessions()->RemoveLast();
    sessions_left_ = std::max(0, *sessions_left_ - 1);
  }
  return failure_;
}

grpc::Status FakeBroker::DeleteTenant(grpc::ServerContext*, const admin::v1::DeleteTenantRequest* request,
                                      admin::v1::DeleteTenantResponse* response) {
  if (request->tenant() == "batch") {
    response->set_configured(true);
    *response->mutable_policy() = SampleTenants().tenants(0).configured();
  }
  response->set_revision(8);
  return Failure();
}

grpc::Status FakeBroker::Trim(grpc::ServerContext*, const admin::v1::TrimRequest* request,
                              admin::v1::TrimResponse* response) {
  response->set_before(8 * kGiB);
  response->set_after(request->to().bytes());
  response->set_took_ms(38);
  return Failure();
}

grpc::Status FakeBroker::Drain(grpc::ServerContext*, const admin::v1::DrainRequest* request,
                               admin::v1::DrainResponse* response) {
  response->set_sessions(2);
  absl::MutexLock lock(&mu_);
  sessions_left_ = request->off() ? std::nullopt : std::optional(2);
  return failure_;
}

grpc::Status FakeBroker::Detach(grpc::ServerContext*, const admin::v1::DetachRequest*, admin::v1::DetachResponse*) {
  return Failure();
}

grpc::Status FakeBroker::ForgetSession(grpc::ServerContext*, const admin::v1::ForgetSessionRequest*,
                                       admin::v1::ForgetSessionResponse* response) {
  response->set_held(2 * kGiB);
  return Failure();
}

grpc::Status FakeBroker::SetTenant(grpc::ServerContext*, const admin::v1::SetTenantRequest* request,
                                   admin::v1::SetTenantResponse* response) {
  {
    absl::MutexLock lock(&mu_);
    changes_.push_back(*request);
  }
  admin::v1::TenantPolicy& policy = *response->mutable_policy();
  policy = SampleTenants().tenants(1).policy();
  if (request->has_weight()) policy.set_weight(request->weight());
  const admin::v1::Amount& limit = request->limit();
  if (request->has_limit()) {
    policy.set_unlimited(limit.none());
    policy.set_limit(limit.has_percent() ? static_cast<uint64_t>(limit.percent() / 100 * 20 * kGiB) : limit.bytes());
  }
  response->set_revision(8);
  if (!policy.unlimited()) response->set_bytes_over(8 * kGiB - std::min(8 * kGiB, policy.limit()));
  return Failure();
}

grpc::Status FakeBroker::Simulate(grpc::ServerContext*, const admin::v1::SimulateRequest* request,
                                  admin::v1::SimulateResponse* response) {
  {
    absl::MutexLock lock(&mu_);
    simulations_.push_back(*request);
  }
  *response = SampleSimulation();
  return Failure();
}

grpc::Status FakeBroker::Why(grpc::ServerContext*, const admin::v1::WhyRequest* request,
                             admin::v1::WhyResponse* response) {
  *response = SampleWhy();
  if (request->session_id() != response->session().session_id()) {
    return {grpc::StatusCode::NOT_FOUND, absl::StrCat("no session ", request->session_id())};
  }
  return Failure();
}

grpc::Status FakeBroker::ListRooms(grpc::ServerContext*, const admin::v1::ListRoomsRequest*,
                                   admin::v1::ListRoomsResponse* response) {
  *response = SampleRooms();
  return Failure();
}

grpc::Status FakeBroker::Events(grpc::ServerContext* context, const admin::v1::EventsRequest* request,
                                grpc::ServerWriter<admin::v1::EventBatch>* writer) {
  writer->Write(SampleEvents());
  absl::MutexLock lock(&mu_);
  while (request->follow() && failure_.ok() && !ending_ && !context->IsCancelled()) {
    mu_.AwaitWithTimeout(absl::Condition(&ending_), absl::Milliseconds(20));
  }
  return failure_;
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
