#include "broker/server/admin_service.h"

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "broker/policy/first_come.h"
#include "common/base/clock.h"
#include "common/device/host/host_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

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
    broker_ = *Broker::Create({.arbiter = {.device_uuid = device_->info().uuid,
                                           .granularity = device_->info().granularity,
                                           .other_tenants = TenantPolicy{}},
                               .engine_socket = dir_ + "/engine.sock",
                               .device_kind = "host"},
                              policy_, *device_, *loop_);
    service_ = *AdminService::Start(dir_ + "/admin.sock", *broker_, *loop_, device_->info());
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

  std::string dir_;
  const std::unique_ptr<HostDevice> device_ = *HostDevice::Open({.capacity = MiB(16)});
  const FirstComePolicy policy_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<AdminService> service_;
  std::unique_ptr<admin::v1::Admin::Stub> stub_;
  std::thread thread_;
};

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

TEST_F(AdminServiceTest, AnIntervalThatIsTooShortIsRefused) {
  grpc::ClientContext context;
  admin::v1::WatchRequest request;
  request.set_interval_ms(49);
  admin::v1::Snapshot snapshot;
  EXPECT_EQ(stub_->Watch(&context, request)->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace kvbroker
