// What a real broker promises engines that share it: idle neighbours give way, guarantees are kept, limits act at once,
// and room is made. Real processes and memory of the host device.

#include <signal.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/session/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/admin.grpc.pb.h"
#include "tests/testing/borrower.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kSoon = absl::Seconds(10);

// 40 slots of 2 MiB.
class SharingTest : public ::testing::Test {
 protected:
  void StartBroker(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.end(), {"--host-memory", "80MiB"});
    broker_ = BrokerProcess::Start(arguments);
  }
  std::unique_ptr<Borrower> Start(Borrower::Options options) {
    options.socket = broker_->engine_socket();
    return std::make_unique<Borrower>(options);
  }
  bool Holds(const Borrower& borrower, uint64_t slots) {
    return Eventually(kSoon, [&] { return borrower.held() == slots; });
  }
  admin::v1::Tenant TenantRow(const std::string& name) {
    grpc::ClientContext context;
    admin::v1::ListTenantsResponse tenants;
    EXPECT_TRUE(broker_->Admin()->ListTenants(&context, {}, &tenants).ok());
    for (const admin::v1::Tenant& tenant : tenants.tenants()) {
      if (tenant.name() == name) return tenant;
    }
    return {};
  }
  admin::v1::WhyResponse Why(uint64_t session) {
    grpc::ClientContext context;
    admin::v1::WhyRequest request;
    request.set_session_id(session);
    admin::v1::WhyResponse response;
    EXPECT_TRUE(broker_->Admin()->Why(&context, request, &response).ok());
    return response;
  }

  std::unique_ptr<BrokerProcess> broker_;
};

TEST_F(SharingTest, AnIdleNeighbourGivesWayToOneThatNeedsIt) {
  StartBroker();
  const auto idle = Start({.tenant = "idle", .slots = 40});
  ASSERT_TRUE(Holds(*idle, 40));
  absl::SleepFor(absl::Milliseconds(2100));  // what was just granted is protected

  const auto busy = Start({.tenant = "busy", .slots = 10, .cached_age = std::nullopt});

  EXPECT_TRUE(Holds(*busy, 10));
  EXPECT_TRUE(Eventually(kSoon, [&] { return idle->held() <= 30; }));
  // What it says after the device has shown all of it is not counted: nobody asks for it any more.
  EXPECT_TRUE(Eventually(kSoon, [&] { return TenantRow("idle").reclaimed() > 0; }));
  EXPECT_EQ(TenantRow("idle").missed_targets(), 0u);
}

TEST_F(SharingTest, TwoThatAreBusyEndWithEqualShares) {
  StartBroker();
  const auto first = Start({.tenant = "a", .slots = 40, .cached_age = std::nullopt});
  ASSERT_TRUE(Holds(*first, 40));

  const auto second = Start({.tenant = "b", .slots = 40, .cached_age = std::nullopt});

  EXPECT_TRUE(Holds(*second, 20));
  EXPECT_TRUE(Holds(*first, 20));
  EXPECT_EQ(Why(second->session_id()).rule(), "share");
}

TEST_F(SharingTest, AGuaranteeComesBackWithinItsDeadline) {
  StartBroker({"--tenant", "gold=none", "--tenant", "other=none"});
  ASSERT_TRUE(broker_
                  ->SetTenant([](auto& r) {
                    r.set_tenant("gold");
                    r.mutable_guarantee()->set_bytes(MiB(50).in_bytes());
                  })
                  .ok());
  const auto other = Start({.tenant = "other", .slots = 40});
  ASSERT_TRUE(Eventually(kSoon, [&] { return other->held() >= 15; })) << "at least what nobody is guaranteed";

  const auto gold = Start({.tenant = "gold", .slots = 25, .cached_age = std::nullopt});

  EXPECT_TRUE(Holds(*gold, 25));
  EXPECT_EQ(TenantRow("gold").guarantee_misses(), 0u);
}

TEST_F(SharingTest, AReserveIsNeverLent) {
  StartBroker({"--tenant", "gold=none", "--tenant", "other=none"});
  ASSERT_TRUE(broker_
                  ->SetTenant([](auto& r) {
                    r.set_tenant("gold");
                    r.mutable_reserved()->set_bytes(MiB(20).in_bytes());
                  })
                  .ok());
  const auto other = Start({.tenant = "other", .slots = 40});
  ASSERT_TRUE(Holds(*other, 30));
  EXPECT_EQ(Why(other->session_id()).rule(), "reserved");
  const auto gold = Start({.tenant = "gold", .slots = 10, .cached_age = std::nullopt});
  EXPECT_TRUE(Holds(*gold, 10));
}

TEST_F(SharingTest, OneThatNeverAnswersIsCountedNamedAndStopped) {
  StartBroker();
  const auto stuck = Start({.tenant = "stuck", .slots = 40, .answers_after = std::nullopt});
  ASSERT_TRUE(Holds(*stuck, 40));
  absl::SleepFor(absl::Milliseconds(2100));
  const auto busy = Start({.tenant = "busy", .slots = 10, .cached_age = std::nullopt});

  EXPECT_TRUE(Eventually(kSoon, [&] { return TenantRow("stuck").missed_targets() > 0; }));

  EXPECT_EQ(busy->held(), 0u);
  EXPECT_THAT(broker_->log(), HasSubstr(absl::StrCat("target missed session=", stuck->session_id())));
  EXPECT_TRUE(broker_->running());
}

TEST_F(SharingTest, ALimitActsOnAnIdleTenantAtOnceAndCanBeTakenBack) {
  StartBroker({"--tenant", "a=60MiB"});
  const auto idle = Start({.tenant = "a", .slots = 40});
  ASSERT_TRUE(Holds(*idle, 30));
  const auto limit = [&](const std::function<void(admin::v1::Amount&)>& amount) {
    return broker_->SetTenant([&](auto& r) {
      r.set_tenant("a");
      amount(*r.mutable_limit());
    });
  };
  ASSERT_TRUE(limit([](auto& amount) { amount.set_bytes(MiB(20).in_bytes()); }).ok());
  EXPECT_TRUE(Holds(*idle, 10));
  ASSERT_TRUE(limit([](auto& amount) { amount.set_none(true); }).ok());
  EXPECT_TRUE(Holds(*idle, 40));
  ASSERT_TRUE(limit([](auto& amount) { amount.set_initial(true); }).ok());
  EXPECT_TRUE(Holds(*idle, 30));
}

TEST_F(SharingTest, WhatOperatorsSetIsKeptOverARestart) {
  StartBroker({"--tenant", "a=60MiB"});
  ASSERT_TRUE(broker_
                  ->SetTenant([](auto& r) {
                    r.set_tenant("a");
                    r.mutable_limit()->set_bytes(MiB(10).in_bytes());
                    r.set_weight(300);
                  })
                  .ok());
  broker_->Kill(SIGKILL);
  broker_->Wait();
  broker_->Restart();
  EXPECT_EQ(TenantRow("a").policy().limit(), MiB(10).in_bytes());
  EXPECT_EQ(TenantRow("a").policy().weight(), 300u);
  EXPECT_EQ(TenantRow("a").configured().limit(), MiB(60).in_bytes());
  EXPECT_EQ(broker_->Status()->memory().policy_revision(), 1u);
}

TEST_F(SharingTest, ALongPromptUnderATooSmallLimitIsRefusedAndBlocksNobody) {
  StartBroker({"--tenant", "a=20MiB", "--tenant", "b=none"});
  const auto engine = Start({.tenant = "a", .slots = 0});
  engine->Want(12, /*min_useful=*/12);
  EXPECT_TRUE(Eventually(kSoon, [&] { return !engine->refusal().empty(); }));
  EXPECT_THAT(engine->refusal(), HasSubstr("limit of tenant a is 20 MiB"));
  engine->Want(5);
  EXPECT_TRUE(Holds(*engine, 5));
  const auto neighbour = Start({.tenant = "b", .slots = 20});
  EXPECT_TRUE(Holds(*neighbour, 20));
}

TEST_F(SharingTest, ALimitBelowWhatALongestRequestNeedsIsRefusedUnlessForced) {
  StartBroker({"--tenant", "a=60MiB"});
  const auto engine = Start({.tenant = "a", .slots = 1, .progress_floor = MiB(30)});
  ASSERT_TRUE(Holds(*engine, 1));
  const auto limit = [&](bool force) {
    return broker_->SetTenant([&](auto& r) {
      r.set_tenant("a");
      r.mutable_limit()->set_bytes(MiB(20).in_bytes());
      r.set_force(force);
    });
  };
  EXPECT_THAT(limit(false).error_message(), HasSubstr("30 MiB"));
  EXPECT_TRUE(limit(true).ok());
}

TEST_F(SharingTest, RoomIsMadeHeldBackAndGivenUp) {
  StartBroker();
  const auto first = Start({.tenant = "a", .slots = 20});
  const auto second = Start({.tenant = "b", .slots = 20});
  ASSERT_TRUE(Holds(*first, 20) && Holds(*second, 20));
  auto starting = *Session::Open({.tenant = "c", .socket = broker_->engine_socket(), .room_only = true});

  // No whole number of slots: somebody gives the slot that crosses its share.
  ASSERT_TRUE(starting->ReserveRoom(MiB(31), kSoon).ok());

  EXPECT_LE(first->held() + second->held(), 24u);
  EXPECT_EQ(broker_->Status()->memory().room(), MiB(31).in_bytes());
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_LE(first->held() + second->held(), 24u) << "nobody takes it back";

  starting.reset();

  EXPECT_TRUE(Holds(*first, 20));
  EXPECT_TRUE(Holds(*second, 20));
}

TEST_F(SharingTest, RoomBeyondTheDeviceIsRefusedAtOnce) {
  StartBroker();
  auto starting = *Session::Open({.tenant = "c", .socket = broker_->engine_socket(), .room_only = true});
  const absl::Status refused = starting->ReserveRoom(MiB(200), kSoon);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("room of 200 MiB is more than could be made, 80 MiB"));
}

}  // namespace
}  // namespace kvbroker
