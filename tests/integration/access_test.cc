// Who may be whom: the broker goes by the user and the group that the kernel says a process has.

#include <grp.h>
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

  // What an operator's call comes to.
  absl::StatusCode AskAs(uid_t user) {
    const pid_t pid = fork();
    if (pid == 0) {
      if (user != getuid() && (setgroups(0, nullptr) != 0 || setgid(user) != 0 || setuid(user) != 0)) _exit(99);
      _exit(static_cast<int>(broker_->Status().status().code()));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return static_cast<absl::StatusCode>(WEXITSTATUS(status));
  }

  TempDir config_;
  std::unique_ptr<BrokerProcess> broker_;
};

// Whoever left the door open: whose call it is is asked again.
TEST_F(AccessTest, OnlyOperatorsAreAnsweredThoughTheSocketIsEverybodys) {
  if (getuid() != 0) GTEST_SKIP() << "being another user takes root";
  for (const char* path : {"/gpu0/admin", "/gpu0/admin/admin.sock"})
    chmod((broker_->runtime_dir() + path).c_str(), 0777);
  EXPECT_EQ(AskAs(kNobody), absl::StatusCode::kPermissionDenied);
  ASSERT_EQ(chown(broker_->admin_socket().c_str(), 0, kNobody), 0);
  EXPECT_EQ(AskAs(kNobody), absl::StatusCode::kOk) << "its group is the operators' by now";
  EXPECT_EQ(AskAs(0), absl::StatusCode::kOk);
}

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
