// Who may be whom: the broker goes by the user and the group that the kernel says a process has.

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/session/session.h"
#include "gtest/gtest.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

constexpr uid_t kNobody = 65534;

class AccessTest : public ::testing::Test {
 protected:
  AccessTest() {
    const std::string config = config_.path() + "/broker.textproto";
    std::ofstream(config) << "tenant { name: \"gold\" allow_uid: " << getuid() << " }\n"
                          << "tenant { name: \"group\" allow_gid: " << kNobody << " }\n"
                          << "default_tenant {}\n";
    broker_ = BrokerProcess::Start({"--host-memory", "64MiB", "--config", config});
    chmod(broker_->runtime_dir().c_str(), 0755);
  }

  // How a process of that user and group fares that says it is the tenant.
  absl::StatusCode OpenAs(uid_t user, const std::string& tenant) {
    const pid_t pid = fork();
    if (pid == 0) {
      if (user != getuid() && (setgid(user) != 0 || setuid(user) != 0)) _exit(99);
      const auto session = Session::Open({.tenant = tenant, .socket = broker_->engine_socket(), .room_only = true});
      _exit(static_cast<int>(session.status().code()));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return static_cast<absl::StatusCode>(WEXITSTATUS(status));
  }

  TempDir config_;
  std::unique_ptr<BrokerProcess> broker_;
};

TEST_F(AccessTest, ATenantIsForWhomItIsConfigured) {
  EXPECT_EQ(OpenAs(getuid(), "gold"), absl::StatusCode::kOk);
  EXPECT_EQ(OpenAs(getuid(), "anybody"), absl::StatusCode::kOk);
  if (getuid() != 0) GTEST_SKIP() << "being another user takes root";
  EXPECT_EQ(OpenAs(kNobody, "gold"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(OpenAs(kNobody, "group"), absl::StatusCode::kOk);
  EXPECT_EQ(OpenAs(kNobody, "anybody"), absl::StatusCode::kOk);
  EXPECT_NE(broker_->log().find("may not be tenant 'gold'"), std::string::npos);
}

}  // namespace
}  // namespace kvbroker
