// What operators ask for once, of a broker and engines that run: trims, no new sessions, letting go of the device, giving up a
// session.

#include <sys/wait.h>

#include <memory>
#include <string>

#include "client/session/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/borrower.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

class OperatorsTest : public ::testing::Test {
 protected:
  using Stub = admin::v1::Admin::Stub;

  template <typename Request, typename Response>
  grpc::Status Ask(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return ((*broker_->Admin()).*method)(&context, request, &response);
  }
  template <typename Response, typename Request>
  grpc::Status Ask(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request) {
    Response response;
    return Ask(method, request, response);
  }
  grpc::Status Trim(Bytes to, absl::Duration within = absl::Seconds(10)) {
    admin::v1::TrimRequest request;
    request.set_tenant("chat");
    request.mutable_to()->set_bytes(to.in_bytes());
    request.set_within_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(within)));
    return Ask(&Stub::Trim, request, trimmed_);
  }
  grpc::Status Drain(bool off = false) {
    admin::v1::DrainRequest request;
    request.set_off(off);
    return Ask<admin::v1::DrainResponse>(&Stub::Drain, request);
  }
  grpc::Status Detach() { return Ask<admin::v1::DetachResponse>(&Stub::Detach, admin::v1::DetachRequest()); }
  std::unique_ptr<Borrower> Borrow(uint64_t slots, std::optional<absl::Duration> answers_after = absl::ZeroDuration()) {
    auto borrower = std::make_unique<Borrower>(Borrower::Options{
        .socket = broker_->engine_socket(), .tenant = "chat", .slots = slots, .answers_after = answers_after});
    EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return borrower->held() == slots; }));
    return borrower;
  }
  absl::Status Open() {
    return Session::Open({.tenant = "chat", .socket = broker_->engine_socket(), .room_only = true}).status();
  }

  std::unique_ptr<BrokerProcess> broker_ = BrokerProcess::Start({"--host-memory", "64MiB"});
  admin::v1::TrimResponse trimmed_;
};

TEST_F(OperatorsTest, ATrimAnswersOnceTheMemoryIsBack) {
  const auto borrower = Borrow(16);
  const grpc::Status status = Trim(MiB(8));
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(trimmed_.before(), MiB(32).in_bytes());
  EXPECT_EQ(trimmed_.after(), MiB(8).in_bytes());
}

TEST_F(OperatorsTest, ATrimThatIsNotAnsweredEndsAtItsTimeAndTheTenantGrowsAgain) {
  const auto borrower = Borrow(8, std::nullopt);
  const grpc::Status status = Trim(MiB(2), absl::Milliseconds(300));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(),
              ::testing::MatchesRegex("tenant chat holds 16 MiB after [0-9.m]+s, not 2 MiB \\(it held 16 MiB\\)"));
  borrower->Want(10);
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return borrower->held() == 10; })) << broker_->Accounts();
}

TEST_F(OperatorsTest, ATrimEndsWithWhoAskedForIt) {
  const auto borrower = Borrow(8, std::nullopt);
  admin::v1::TrimRequest request;
  request.set_tenant("chat");
  request.mutable_to()->set_bytes(0);
  admin::v1::TrimResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  EXPECT_FALSE(broker_->Admin()->Trim(&context, request, &response).ok());
  borrower->Want(10);
  EXPECT_TRUE(Eventually(absl::Seconds(5), [&] { return borrower->held() == 10; })) << broker_->Accounts();
}

TEST_F(OperatorsTest, ATrimWithoutASizeOrOfNobodyIsRefused) {
  EXPECT_EQ(Ask<admin::v1::TrimResponse>(&Stub::Trim, admin::v1::TrimRequest()).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Trim(MiB(2)).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(Trim(MiB(2), absl::Hours(1)).error_message(), HasSubstr("10m"));
}

TEST_F(OperatorsTest, ADrainedBrokerAdmitsNobodyNewNorDoesTheNextOne) {
  const auto borrower = Borrow(4);
  ASSERT_TRUE(Drain().ok());
  EXPECT_EQ(Open().code(), absl::StatusCode::kFailedPrecondition);
  broker_->Kill(SIGKILL);
  broker_->Wait();
  broker_->Restart();
  EXPECT_TRUE(broker_->Status()->refuses_new_sessions());
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return broker_->AccountsAreRight(1); }))
      << "who was there comes back\n"
      << broker_->Accounts();
  EXPECT_THAT(std::string(Open().message()), HasSubstr("kvctl drain --off"));
  ASSERT_TRUE(Drain(/*off=*/true).ok());
  EXPECT_EQ(Open(), absl::OkStatus());
}

TEST_F(OperatorsTest, ABrokerLetsGoOfTheDeviceOnceNobodyIsThere) {
  auto borrower = Borrow(4);
  const grpc::Status refused = Detach();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("session 1 (chat, pid "));
  EXPECT_TRUE(broker_->running());
  ASSERT_TRUE(Drain().ok());
  borrower.reset();
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return broker_->NothingIsOut(); }));
  EXPECT_TRUE(Detach().ok());
  EXPECT_EQ(broker_->Wait(), 0);
  broker_->Restart();
  EXPECT_EQ(Open(), absl::OkStatus()) << "the next one is there to be used";
}

TEST_F(OperatorsTest, ASessionThatIsServedIsNotForgotten) {
  const auto borrower = Borrow(4);
  admin::v1::ForgetSessionRequest request;
  request.set_session_id(borrower->session_id());
  const grpc::Status refused = Ask<admin::v1::ForgetSessionResponse>(&Stub::ForgetSession, request);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(broker_->log(), HasSubstr("ForgetSession session=1 refused"));
}

TEST_F(OperatorsTest, ATenantThatIsDeletedIsKnownNoMoreEvenToTheNextBroker) {
  ASSERT_TRUE(broker_
                  ->SetTenant([](admin::v1::SetTenantRequest& request) {
                    request.set_tenant("night");
                    request.set_weight(7);
                    request.set_create(true);
                  })
                  .ok());
  admin::v1::DeleteTenantRequest request;
  request.set_tenant("night");
  admin::v1::DeleteTenantResponse response;
  ASSERT_TRUE(Ask(&Stub::DeleteTenant, request, response).ok());
  EXPECT_FALSE(response.configured());
  EXPECT_EQ(response.revision(), 2u);
  EXPECT_EQ(Ask(&Stub::DeleteTenant, request, response).error_code(), grpc::StatusCode::NOT_FOUND);
  broker_->Kill(SIGTERM);
  broker_->Wait();
  broker_->Restart();
  EXPECT_EQ(broker_->Status()->tenants(), 0u);
}

}  // namespace
}  // namespace kvbroker
