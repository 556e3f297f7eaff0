#include "broker/server/admin_service.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "broker/policy/fair_policy.h"
#include "broker/server/drain_mark.h"
#include "common/base/clock.h"
#include "common/device/host/host_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// The service of a broker on its own loop's thread.
class AdminServiceTest : public ::testing::Test {
 protected:
  // A call of Watch whose first snapshot has come, or that has ended.
  struct Watcher {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<admin::v1::Snapshot>> reader;
    bool watches = false;
  };

  AdminServiceTest() {
    char name[] = "/tmp/kvbXXXXXX";
    dir_ = mkdtemp(name);
    store_.emplace(*PolicyStore::Open(policy_file()));
    journal_.emplace(*Journal::Open(dir_ + "/journal", {}, 1));
    broker_ = *Broker::Create({.arbiter = {.device_uuid = device_->info().uuid,
                                           .granularity = device_->info().granularity,
                                           .tenants = {{"chat", {.limit = MiB(8)}}, {"batch", {}}},
                                           .other_tenants = TenantPolicy{}},
                               .engine_socket = dir_ + "/engine.sock",
                               .device_kind = "host"},
                              policy_, *device_, *journal_, *loop_);
    service_ = *AdminService::Start(dir_ + "/admin.sock", *broker_, *loop_, device_->info(),
                                    {.policies = *store_, .drain_mark = DrainMark(dir_ + "/drained")});
    stub_ = admin::v1::Admin::NewStub(
        grpc::CreateChannel("unix:" + dir_ + "/admin.sock", grpc::InsecureChannelCredentials()));
    thread_ = std::thread([this] { loop_->Run(); });
  }
  ~AdminServiceTest() override {
    loop_->Stop();
    thread_.join();
    service_.reset();
    broker_.reset();
    std::filesystem::remove_all(dir_);
  }

  std::unique_ptr<Watcher> Watch() {
    auto watcher = std::make_unique<Watcher>();
    admin::v1::WatchRequest request;
    request.set_interval_ms(50);
    watcher->reader = stub_->Watch(&watcher->context, request);
    admin::v1::Snapshot snapshot;
    watcher->watches = watcher->reader->Read(&snapshot);
    return watcher;
  }

  grpc::Status GetStatus() {
    grpc::ClientContext context;
    admin::v1::Status status;
    return stub_->GetStatus(&context, {}, &status);
  }

  std::string policy_file() const { return dir_ + "/state/policy.textproto"; }

  admin::v1::SetTenantResponse response_;
  grpc::Status SetTenant(const std::function<void(admin::v1::SetTenantRequest&)>& fill) {
    grpc::ClientContext context;
    admin::v1::SetTenantRequest request;
    request.set_tenant("chat");
    fill(request);
    return stub_->SetTenant(&context, request, &response_);
  }

  std::string dir_;
  std::optional<PolicyStore> store_;
  const std::unique_ptr<HostDevice> device_ = *HostDevice::Open({.capacity = MiB(16)});
  const FairPolicy policy_;
  std::optional<Journal> journal_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<AdminService> service_;
  std::unique_ptr<admin::v1::Admin::Stub> stub_;
  std::thread thread_;
};

TEST_F(AdminServiceTest, EachChangeLeavesALineThatSaysWhoDidWhat) {
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(SetTenant([](auto& r) { r.mutable_limit()->set_bytes(4 << 20); }).ok());
  EXPECT_FALSE(SetTenant([](auto& r) {
                 r.set_tenant("x\nforged");
                 r.set_weight(0);
               }).ok());
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr(absl::StrCat("audit uid=", getuid(), " pid=", getpid(), " SetTenant tenant='chat' ")));
  EXPECT_THAT(log,
              ContainsRegex("before=\\{[^}]*limit: 8388608[^}]*\\} after=\\{[^}]*limit: 4194304[^}]*\\} revision=1"));
  EXPECT_THAT(log, HasSubstr("SetTenant tenant='x\\nforged' refused: '"));
}

TEST_F(AdminServiceTest, WhoFollowsIsToldWhatWasAndWhatHappens) {
  ASSERT_TRUE(SetTenant([](auto& r) { r.set_weight(7); }).ok());
  grpc::ClientContext context;
  admin::v1::EventsRequest request;
  request.set_follow(true);
  const auto reader = stub_->Events(&context, request);
  admin::v1::EventBatch batch;
  ASSERT_TRUE(reader->Read(&batch));
  const admin::v1::BrokerEvent last = batch.events(batch.events_size() - 1);
  EXPECT_THAT(last.text(), HasSubstr("policy set tenant=chat"));
  ASSERT_TRUE(SetTenant([](auto& r) { r.set_weight(8); }).ok());
  ASSERT_TRUE(reader->Read(&batch));
  EXPECT_EQ(batch.events(0).number(), last.number() + 1);
  EXPECT_THAT(batch.events(0).text(), HasSubstr("weight=8"));
  EXPECT_FALSE(batch.events(0).warning());
  context.TryCancel();
}

TEST_F(AdminServiceTest, WhoDoesNotFollowIsToldWhatWasAndNoMore) {
  ASSERT_TRUE(SetTenant([](auto& r) { r.set_weight(7); }).ok());
  grpc::ClientContext context;
  const auto reader = stub_->Events(&context, {});
  admin::v1::EventBatch batch;
  EXPECT_TRUE(reader->Read(&batch));
  EXPECT_FALSE(reader->Read(&batch));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(AdminServiceTest, WatchersBeyondTheBoundAreRefusedAndOthersAreServed) {
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < AdminService::kMostWatchers; ++i) {
    watchers.push_back(Watch());
    ASSERT_TRUE(watchers.back()->watches) << i;
  }

  const auto refused = Watch();

  EXPECT_FALSE(refused->watches);
  const grpc::Status status = refused->reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("16"));
  EXPECT_TRUE(GetStatus().ok());
  for (const auto& watcher : watchers) watcher->context.TryCancel();
}

TEST_F(AdminServiceTest, AWatcherThatLeavesMakesRoomForAnother) {
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < AdminService::kMostWatchers; ++i) watchers.push_back(Watch());

  watchers.front()->context.TryCancel();

  const absl::Time deadline = MonotonicNow() + absl::Seconds(20);
  auto another = Watch();  // the server learns of the leaving a little later
  while (!another->watches && MonotonicNow() < deadline) another = Watch();
  EXPECT_TRUE(another->watches);
  another->context.TryCancel();
  for (const auto& watcher : watchers) watcher->context.TryCancel();
}

TEST_F(AdminServiceTest, APolicyIsKeptBeforeItIsAnswered) {
  ASSERT_TRUE(SetTenant([](auto& r) {
                r.mutable_guarantee()->set_bytes(4 << 20);
                r.set_weight(300);
                r.set_tenant_class(admin::v1::BATCH);
              }).ok());
  EXPECT_EQ(response_.revision(), 1u);
  EXPECT_EQ(response_.policy().limit(), 8u << 20) << "what is not given stays";
  const PolicyStore kept = *PolicyStore::Open(policy_file());
  EXPECT_EQ(kept.revision(), 1u);
  EXPECT_EQ(kept.tenants().at("chat"),
            (TenantPolicy{.guarantee = MiB(4), .limit = MiB(8), .weight = 300, .tenant_class = TenantClass::kBatch}));
}

TEST_F(AdminServiceTest, WhatCannotBeKeptIsNotChanged) {
  std::ofstream(dir_ + "/state") << "a file where the folder should be";
  const grpc::Status status = SetTenant([](auto& r) { r.set_weight(300); });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr(dir_ + "/state"));
  grpc::ClientContext context;
  admin::v1::ListTenantsResponse tenants;
  ASSERT_TRUE(stub_->ListTenants(&context, {}, &tenants).ok());
  for (const admin::v1::Tenant& tenant : tenants.tenants()) EXPECT_EQ(tenant.policy().weight(), 100u);
}

TEST_F(AdminServiceTest, NoneAndTheStartValueCanBeRestored) {
  ASSERT_TRUE(SetTenant([](auto& r) { r.mutable_limit()->set_none(true); }).ok());
  EXPECT_TRUE(response_.policy().unlimited());
  ASSERT_TRUE(SetTenant([](auto& r) { r.mutable_limit()->set_percent(25); }).ok());
  EXPECT_EQ(response_.policy().limit(), 4u << 20) << "of 16 MiB";
  ASSERT_TRUE(SetTenant([](auto& r) { r.mutable_limit()->set_initial(true); }).ok());
  EXPECT_EQ(response_.policy().limit(), 8u << 20);
}

TEST_F(AdminServiceTest, ATenantIsMadeKnownOnlyWhereThatIsAskedFor) {
  const auto gold = [](auto& r) {
    r.set_tenant("gold");
    r.set_weight(5);
  };
  EXPECT_EQ(SetTenant(gold).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(SetTenant([&](auto& r) {
                gold(r);
                r.set_create(true);
              }).ok());
  EXPECT_TRUE(SetTenant(gold).ok());
}

TEST_F(AdminServiceTest, SimulatingSaysWhatAWantWouldDo) {
  grpc::ClientContext context;
  admin::v1::SimulateRequest request;
  request.mutable_change()->set_tenant("chat");
  request.set_want(12 << 20);
  admin::v1::SimulateResponse response;
  ASSERT_TRUE(stub_->Simulate(&context, request, &response).ok());
  ASSERT_EQ(response.rows_size(), 2);
  EXPECT_EQ(response.rows(1).tenant(), "chat");
  EXPECT_EQ(response.rows(1).wanted(), 8u << 20) << "within its limit";
  EXPECT_EQ(response.rows(1).entitled_before(), 0u);
  EXPECT_EQ(response.rows(1).entitled_after(), 8u << 20);
  EXPECT_FALSE(response.rows(1).because().empty());
}

TEST_F(AdminServiceTest, WhyOfASessionThatIsNotThereIsNotFound) {
  grpc::ClientContext context;
  admin::v1::WhyRequest request;
  request.set_session_id(7);
  admin::v1::WhyResponse response;
  EXPECT_EQ(stub_->Why(&context, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(AdminServiceTest, AnIntervalThatIsTooShortIsRefused) {
  grpc::ClientContext context;
  admin::v1::WatchRequest request;
  request.set_interval_ms(49);
  admin::v1::Snapshot snapshot;
  EXPECT_EQ(stub_->Watch(&context, request)->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace kvbroker
