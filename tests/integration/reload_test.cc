// SIGHUP: a broker that runs takes what its configuration says by now, and engines are told.

#include <signal.h>

#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/session/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

class ReloadTest : public ::testing::Test {
 protected:
  ReloadTest() {
    Write("tenant { name: \"a\" limit: \"8MiB\" } tenant { name: \"set\" limit: \"8MiB\" }");
    broker_ = BrokerProcess::Start({"--host-memory", "64MiB", "--config", file()});
  }

  std::string file() const { return config_.path() + "/broker.textproto"; }
  void Write(const std::string& text) { std::ofstream(file()) << text << "\n"; }
  // Until the log says so.
  void Reload(const std::string& said) {
    broker_->Kill(SIGHUP);
    ASSERT_TRUE(Eventually(absl::Seconds(10), [&] { return broker_->log().find(said) != std::string::npos; }))
        << broker_->log();
  }
  uint64_t LimitOf(const std::string& tenant) {
    grpc::ClientContext context;
    admin::v1::ListTenantsResponse response;
    EXPECT_TRUE(broker_->Admin()->ListTenants(&context, {}, &response).ok());
    for (const admin::v1::Tenant& row : response.tenants()) {
      if (row.name() == tenant) return row.policy().limit();
    }
    return 0;
  }
  absl::StatusCode Open(const std::string& tenant) {
    return Session::Open({.tenant = tenant, .socket = broker_->engine_socket(), .room_only = true}).status().code();
  }

  TempDir config_;
  std::unique_ptr<BrokerProcess> broker_;
};

TEST_F(ReloadTest, TenantsAreWhatTheFileSaysNow) {
  EXPECT_EQ(Open("new"), absl::StatusCode::kNotFound);
  Write("tenant { name: \"a\" limit: \"16MiB\" } tenant { name: \"new\" }");
  Reload("configured tenants=2 changed=a,new");
  EXPECT_EQ(LimitOf("a"), MiB(16).in_bytes());
  EXPECT_EQ(Open("new"), absl::StatusCode::kOk);
}

TEST_F(ReloadTest, WhatOperatorsHaveSetStays) {
  ASSERT_TRUE(broker_
                  ->SetTenant([](admin::v1::SetTenantRequest& request) {
                    request.set_tenant("set");
                    request.mutable_limit()->set_bytes(MiB(4).in_bytes());
                  })
                  .ok());
  Write("tenant { name: \"a\" limit: \"8MiB\" } tenant { name: \"set\" limit: \"32MiB\" }");
  Reload("configured tenants=2 changed=none");
  EXPECT_EQ(LimitOf("set"), MiB(4).in_bytes());
}

TEST_F(ReloadTest, WhoMayBeATenantIsWhatTheFileSaysNow) {
  EXPECT_EQ(Open("a"), absl::StatusCode::kOk);
  Write("tenant { name: \"a\" limit: \"8MiB\" allow_uid: 4242 }");
  Reload("configured tenants=1");
  EXPECT_EQ(Open("a"), absl::StatusCode::kPermissionDenied);
}

// Else its access rule would be gone, and it would be everybody's.
TEST_F(ReloadTest, WhoIsConfiguredNoMoreIsNobodys) {
  Write("tenant { name: \"set\" limit: \"8MiB\" }");
  Reload("configured tenants=1");
  EXPECT_EQ(Open("a"), absl::StatusCode::kNotFound);
}

TEST_F(ReloadTest, ATenantHasItsOwnSocketFromThenOn) {
  Write("tenant { name: \"a\" own_socket: true }");
  Reload("configured tenants=1");
  EXPECT_EQ(Open("a"), absl::StatusCode::kPermissionDenied);
  const std::string own = absl::StrCat(broker_->runtime_dir(), "/gpu0/tenants/a/engine.sock");
  EXPECT_TRUE(Eventually(absl::Seconds(10),
                         [&] { return Session::Open({.tenant = "a", .socket = own, .room_only = true}).ok(); }));
}

TEST_F(ReloadTest, AFileThatIsWrongChangesNothing) {
  Write("tenant { name: \"a\" limit: \"many\" }");
  Reload("the configuration stays as it was");
  EXPECT_THAT(broker_->log(), HasSubstr("broker.textproto"));
  EXPECT_EQ(LimitOf("a"), MiB(8).in_bytes());
  Write("tenant { name: \"a\" limit: \"12MiB\" }");
  Reload("configured tenants=1 changed=a");
  EXPECT_EQ(LimitOf("a"), MiB(12).in_bytes());
}

TEST_F(ReloadTest, WhatNeedsARestartIsNamed) {
  Write("capacity: \"32MiB\" require_zero: true tenant { name: \"a\" limit: \"8MiB\" }");
  Reload("a restart is needed for: capacity, require_zero");
}

}  // namespace
}  // namespace kvbroker
