#include "broker/server/broker.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "broker/policy/testing/first_come.h"
#include "common/device/host/host_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

// A broker on its own loop's thread.
class BrokerTest : public ::testing::Test {
 protected:
  BrokerTest() {
    char name[] = "/tmp/kvbXXXXXX";
    dir_ = mkdtemp(name);
    journal_.emplace(*Journal::Open(dir_ + "/journal", {}, 1));
    broker_ = *Broker::Create({.arbiter = {.device_uuid = device_->info().uuid,
                                           .granularity = device_->info().granularity,
                                           .other_tenants = TenantPolicy{}},
                               .engine_socket = dir_ + "/engine.sock",
                               .device_kind = "host",
                               .hello_timeout = absl::Milliseconds(1)},
                              policy_, *device_, *journal_, *loop_);
    thread_ = std::thread([this] { loop_->Run(); });
  }
  ~BrokerTest() override {
    loop_->Stop();
    thread_.join();
    broker_.reset();
    std::filesystem::remove_all(dir_);
  }

  absl::Duration LoopCpuTime() {
    timespec time = {};
    loop_->Call([&] { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); });
    return absl::DurationFromTimespec(time);
  }

  std::string dir_;
  const std::unique_ptr<HostDevice> device_ = *HostDevice::Open({.capacity = MiB(16)});
  const FirstComePolicy policy_;
  std::optional<Journal> journal_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  std::unique_ptr<Broker> broker_;
  std::thread thread_;
};

TEST_F(BrokerTest, WithoutDescriptorsItRestsAndAcceptsOnceThereAreSomeAgain) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const UniqueFd client(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  (dir_ + "/engine.sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
  const absl::Duration before = LoopCpuTime();
  const rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);

  ASSERT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  absl::SleepFor(absl::Milliseconds(500));  // what it does meanwhile is the point
  const absl::Duration spent = LoopCpuTime() - before;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);

  EXPECT_LT(spent, absl::Milliseconds(100));
  char byte;
  EXPECT_GT(recv(client.get(), &byte, 1, 0), 0) << "accepted, and rejected as it says no Hello";
}

}  // namespace
}  // namespace kvbroker
