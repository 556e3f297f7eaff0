// Who may be whom: the broker goes by what the kernel says of a process, and by the socket that it comes by.

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/session/session.h"
#include "gtest/gtest.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kNotPossible = 99;  // a child's exit code

class AccessTest : public ::testing::Test {
 protected:
  AccessTest() {
    const std::string config = config_.path() + "/broker.textproto";
    std::ofstream(config) << "tenant { name: \"gold\" allow_uid: " << getuid() << " }\n"
                          << "tenant { name: \"group\" allow_gid: " << kNobody << " }\n"
                          << "tenant { name: \"here\" allow_cgroup: \"" << OwnCgroup() << "\" }\n"
                          << "tenant { name: \"elsewhere\" allow_cgroup: \"/no/such/cgroup\" }\n"
                          << "tenant { name: \"own\" own_socket: true }\n"
                          << "default_tenant {}\n";
    broker_ = BrokerProcess::Start({"--host-memory", "64MiB", "--config", config});
    chmod(broker_->runtime_dir().c_str(), 0755);
  }

  // As the broker sees that of its clients.
  static std::string OwnCgroup() {
    std::ifstream file("/proc/self/cgroup");
    std::string unified = "/";
    for (std::string line; std::getline(file, line);) {
      if (line.rfind("0::", 0) == 0 && line.size() > 4) return line.substr(3);
      const size_t systemd = line.find(":name=systemd:");
      if (systemd != std::string::npos) unified = line.substr(systemd + 14);
    }
    return unified;
  }

  // What `does` returns in a child.
  static int InChild(const std::function<int()>& does) {
    const pid_t pid = fork();
    if (pid == 0) _exit(does());
    int status = 0;
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
  }

  int Open(const std::string& tenant, const std::string& socket = "") {
    const auto session = Session::Open(
        {.tenant = tenant, .socket = socket.empty() ? broker_->engine_socket() : socket, .room_only = true});
    return static_cast<int>(session.status().code());
  }

  // How a process of that user and group fares that says it is the tenant.
  absl::StatusCode OpenAs(uid_t user, const std::string& tenant, const std::string& socket = "") {
    return static_cast<absl::StatusCode>(InChild([&] {
      if (user != getuid() && (setgid(user) != 0 || setuid(user) != 0)) return kNotPossible;
      return Open(tenant, socket);
    }));
  }

  // What an operator's call comes to.
  absl::StatusCode AskAs(uid_t user) {
    return static_cast<absl::StatusCode>(InChild([&] {
      if (user != getuid() && (setgroups(0, nullptr) != 0 || setgid(user) != 0 || setuid(user) != 0))
        return kNotPossible;
      return static_cast<int>(broker_->Status().status().code());
    }));
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

TEST_F(AccessTest, ACgroupMayBeWhatMakesATenant) {
  EXPECT_EQ(OpenAs(getuid(), "here"), absl::StatusCode::kOk) << broker_->log();
  EXPECT_EQ(OpenAs(getuid(), "elsewhere"), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(broker_->log().find("it is for cgroup /no/such/cgroup"), std::string::npos);
}

TEST_F(AccessTest, ASocketMayBeOneTenantsAlone) {
  const std::string own = broker_->runtime_dir() + "/gpu0/tenants/own/engine.sock";
  EXPECT_EQ(OpenAs(getuid(), "own", own), absl::StatusCode::kOk) << broker_->log();
  EXPECT_EQ(OpenAs(getuid(), "own"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(OpenAs(getuid(), "gold", own), absl::StatusCode::kPermissionDenied);
  if (getuid() == 0) {
    EXPECT_NE(OpenAs(kNobody, "own", own), absl::StatusCode::kOk) << "others do not get there";
  }
  broker_->Kill(SIGTERM);
  broker_->Wait();
  EXPECT_NE(access(own.c_str(), F_OK), 0) << "its socket stays behind";
  broker_->Restart();
  EXPECT_EQ(OpenAs(getuid(), "own", own), absl::StatusCode::kOk) << broker_->log();
}

// The broker tries it when it starts, in a process of its own, and once a boot.
TEST_F(AccessTest, SaysWhetherMemoryIsZeroedBetweenTwoOwners) {
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return broker_->Status()->zeroing() == "verified"; }));
  EXPECT_NE(broker_->log().find("zeroing checked"), std::string::npos);
  const auto record = std::filesystem::last_write_time(broker_->runtime_dir() + "/gpu0/zeroed");
  broker_->Kill(SIGKILL);
  broker_->Wait();
  broker_->Restart();
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return broker_->Status()->zeroing() == "verified"; }));
  EXPECT_EQ(std::filesystem::last_write_time(broker_->runtime_dir() + "/gpu0/zeroed"), record);
}

class NamespaceTest : public AccessTest {
 protected:
  // How a child fares that is in new namespaces of these kinds. kNotPossible: there are none to be had.
  int OpenIn(int namespaces, const std::string& tenant) {
    return InChild([&] {
      if (unshare(namespaces) != 0) return kNotPossible;
      return InChild([&] { return Open(tenant); });  // a pid namespace is the children's
    });
  }
};

// A container's process: the broker sees it under another number than it sees itself.
TEST_F(NamespaceTest, AProcessOfAnInnerPidNamespaceIsWhoItIsOutside) {
  const int code = OpenIn(CLONE_NEWUSER | CLONE_NEWPID, "here");
  if (code == kNotPossible) GTEST_SKIP() << "no namespaces are to be had";
  EXPECT_EQ(code, static_cast<int>(absl::StatusCode::kOk)) << broker_->log();
  EXPECT_TRUE(Eventually(absl::Seconds(5), [&] { return broker_->Sessions()->empty(); })) << "its end is seen as well";
}

// Whatever it calls itself in there, outside it is its maker: uid 0 of a user namespace is not root.
TEST_F(NamespaceTest, AUserOfAnInnerNamespaceIsWhoMadeItOutside) {
  const int code = OpenIn(CLONE_NEWUSER, "gold");  // for this user
  if (code == kNotPossible) GTEST_SKIP() << "no namespaces are to be had";
  EXPECT_EQ(code, static_cast<int>(absl::StatusCode::kOk)) << broker_->log();
  EXPECT_NE(broker_->log().find(absl::StrCat("uid=", getuid(), " ")), std::string::npos) << broker_->log();
  EXPECT_EQ(OpenIn(CLONE_NEWUSER, "group"), static_cast<int>(absl::StatusCode::kPermissionDenied));
}

}  // namespace
}  // namespace kvbroker
