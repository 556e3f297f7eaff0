#include "broker/server/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

// Listens as systemd does, on an abstract socket.
class ServiceManagerTest : public ::testing::Test {
 protected:
  ServiceManagerTest() {
    sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
    const std::string name = absl::StrCat("kvbroker-test-", getpid());
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", absl::StrCat("@", name).c_str(), 1);
  }
  ~ServiceManagerTest() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }

  std::vector<std::string> Heard() {
    std::vector<std::string> messages;
    char buffer[256];
    for (;;) {
      const ssize_t n = recv(socket_.get(), buffer, sizeof(buffer), 0);
      if (n < 0) return messages;
      messages.emplace_back(buffer, static_cast<size_t>(n));
    }
  }
  // For so long, or until it is stopped.
  void RunFor(absl::Duration time) {
    loop_->At(MonotonicNow() + time, [this] { loop_->Stop(); });
    loop_->Run();
  }

  UniqueFd socket_{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
};

TEST_F(ServiceManagerTest, ItIsToldThatTheBrokerServesAndThatItEnds) {
  ServiceManager manager = ServiceManager::FromEnvironment();
  manager.Ready(*loop_, [] { return "lends 0 B"; });
  manager.Stopping();
  EXPECT_THAT(Heard(), ElementsAre("READY=1\nSTATUS=lends 0 B", "STOPPING=1"));
  EXPECT_EQ(manager.watchdog(), std::nullopt);
}

TEST_F(ServiceManagerTest, ItIsToldThatTheConfigurationIsReadAnew) {
  ServiceManager manager = ServiceManager::FromEnvironment();
  manager.Reloading();
  manager.Serving();
  EXPECT_THAT(Heard(), ElementsAre(MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"), "READY=1"));
}

TEST_F(ServiceManagerTest, TheWatchdogIsFedFromTheLoopWithWhatItDoesThen) {
  setenv("WATCHDOG_USEC", "30000", 1);
  setenv("WATCHDOG_PID", absl::StrCat(getpid()).c_str(), 1);
  ServiceManager manager = ServiceManager::FromEnvironment();
  EXPECT_EQ(manager.watchdog(), absl::Milliseconds(30));
  int asked = 0;
  manager.Ready(*loop_, [&] { return absl::StrCat(asked++); });
  EXPECT_THAT(Heard(), ElementsAre("READY=1\nSTATUS=0", "WATCHDOG=1\nSTATUS=1"));
  RunFor(absl::Milliseconds(60));
  const std::vector<std::string> heard = Heard();
  EXPECT_GE(heard.size(), 2u);
  EXPECT_EQ(heard[0], "WATCHDOG=1\nSTATUS=2");
}

TEST_F(ServiceManagerTest, AWatchdogOfAnotherProcessIsNotFed) {
  setenv("WATCHDOG_USEC", "30000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(ServiceManager::FromEnvironment().watchdog(), std::nullopt);
}

TEST_F(ServiceManagerTest, NoChildSpeaksForTheBroker) {
  setenv("WATCHDOG_USEC", "30000", 1);
  ServiceManager::FromEnvironment();
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  EXPECT_EQ(std::getenv("WATCHDOG_USEC"), nullptr);
}

TEST_F(ServiceManagerTest, WhereNobodyAskedNothingIsSent) {
  unsetenv("NOTIFY_SOCKET");
  setenv("WATCHDOG_USEC", "30000", 1);
  ServiceManager manager = ServiceManager::FromEnvironment();
  manager.Ready(*loop_, [] { return ""; });
  EXPECT_EQ(manager.watchdog(), std::nullopt);
  EXPECT_THAT(Heard(), IsEmpty());
}

TEST_F(ServiceManagerTest, OneThatWentAwayIsNoReasonToEnd) {
  ServiceManager manager = ServiceManager::FromEnvironment();
  socket_.Reset();
  manager.Ready(*loop_, [] { return ""; });
}

}  // namespace
}  // namespace kvbroker
