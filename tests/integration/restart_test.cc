// The broker is killed and another one starts: who serves serves on, and the accounts are right again at once.

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/borrower.h"
#include "tests/testing/broker_process.h"
#include "tests/testing/client_process.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr absl::Duration kSoon = absl::Seconds(10);
constexpr absl::Duration kRightWithin = absl::Seconds(2);  // of a new broker's start
constexpr Bytes kSlot = MiB(2);

class RestartTest : public ::testing::Test {
 protected:
  uint64_t Granted() {
    const auto status = broker_->Status();
    return status.ok() ? status->memory().granted() : 0;
  }
  ::testing::AssertionResult BecomeRight(size_t serving) {
    if (Eventually(kRightWithin, [&] { return broker_->AccountsAreRight(serving); }))
      return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << broker_->Accounts();
  }
  std::string Journal() const { return broker_->runtime_dir() + "/gpu0/journal"; }
  void KillAndRestart() {
    broker_->Kill(SIGKILL);
    broker_->Wait();
    broker_->Restart();
  }

  std::unique_ptr<BrokerProcess> broker_ = BrokerProcess::Start({"--host-memory", "256MiB", "--capacity", "100MiB"});
};

TEST_F(RestartTest, WhatIsOutIsChargedFromTheFirstMoment) {
  ClientProcess client(broker_->engine_socket(), 20);
  ASSERT_TRUE(client.ready());
  kill(client.pid(), SIGSTOP);  // it does not come back
  KillAndRestart();
  EXPECT_EQ(Granted(), 20 * kSlot.in_bytes());
  ASSERT_THAT(*broker_->Sessions(), SizeIs(1));
  EXPECT_EQ(broker_->Sessions()->front().pid(), client.pid());

  // Another one gets what the capacity leaves, and no more.
  Borrower other({.socket = broker_->engine_socket(), .tenant = "b", .slots = 100});
  EXPECT_TRUE(Eventually(kSoon, [&] { return other.held() == 30; }));
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(other.held(), 30u);

  kill(client.pid(), SIGCONT);
  EXPECT_TRUE(BecomeRight(2));
  EXPECT_EQ(Granted(), 50 * kSlot.in_bytes());
}

TEST_F(RestartTest, WhoDiesWhileNoBrokerIsThereLeavesNothing) {
  ClientProcess client(broker_->engine_socket(), 20);
  ASSERT_TRUE(client.ready());
  broker_->Kill(SIGKILL);
  broker_->Wait();
  client.Kill();
  broker_->Restart();
  EXPECT_TRUE(broker_->BecomesIdle(kRightWithin));
}

TEST_F(RestartTest, WhoServesServesOnAndGrowsAgain) {
  auto session = *Session::Open({.tenant = "a", .socket = broker_->engine_socket()});
  auto arena = *session->CreateArena({.planes = {kSlot}, .slots = 40, .low = 0});
  ASSERT_TRUE(arena->SetWant(8).ok() && arena->WaitReady(8, kSoon).ok());
  auto* const data = reinterpret_cast<char*>(arena->base(0));
  data[0] = 42;
  KillAndRestart();
  data[kSlot.in_bytes()] = 43;
  ASSERT_TRUE(arena->SetWant(16).ok());
  EXPECT_TRUE(Eventually(kRightWithin, [&] { return arena->WaitReady(16, absl::Milliseconds(100)).ok(); }));
  EXPECT_TRUE(BecomeRight(1));
  EXPECT_GE(Granted(), 16 * kSlot.in_bytes());
  EXPECT_EQ(data[0], 42);
  EXPECT_EQ(data[kSlot.in_bytes()], 43);
}

TEST_F(RestartTest, WithoutItsJournalNothingIsLentTwice) {
  Borrower borrower({.socket = broker_->engine_socket(), .tenant = "a", .slots = 40});
  ASSERT_TRUE(Eventually(kSoon, [&] { return borrower.held() == 40; }));
  broker_->Kill(SIGKILL);
  broker_->Wait();
  std::filesystem::remove(Journal());
  broker_->Restart();
  EXPECT_TRUE(BecomeRight(1));
  EXPECT_GE(Granted(), 40 * kSlot.in_bytes());
}

TEST_F(RestartTest, AJournalThatIsTornIsToldOfAndNothingIsLentTwice) {
  Borrower borrower({.socket = broker_->engine_socket(), .tenant = "a", .slots = 40});
  ASSERT_TRUE(Eventually(kSoon, [&] { return borrower.held() == 40; }));
  broker_->Kill(SIGKILL);
  broker_->Wait();
  std::filesystem::resize_file(Journal(), std::filesystem::file_size(Journal()) - 1);
  broker_->Restart();
  EXPECT_THAT(broker_->log(), HasSubstr("the last record is cut off"));
  EXPECT_TRUE(BecomeRight(1));
  EXPECT_GE(Granted(), 40 * kSlot.in_bytes());
}

TEST_F(RestartTest, ABrokerThatIsKilledAgainAndAgainUnderLoadLeaksNothing) {
  {
    std::vector<std::unique_ptr<Borrower>> borrowers;
    for (const char* tenant : {"a", "b", "c"}) {
      borrowers.push_back(std::make_unique<Borrower>(
          Borrower::Options{.socket = broker_->engine_socket(), .tenant = tenant, .slots = 10}));
    }
    for (uint64_t round = 0; round < 10; ++round) {
      for (size_t i = 0; i < borrowers.size(); ++i) borrowers[i]->Want((round * 7 + i * 5) % 12);
      absl::SleepFor(absl::Milliseconds(5 * round));
      KillAndRestart();
    }
    for (auto& borrower : borrowers) borrower->Want(12);
    for (auto& borrower : borrowers) {
      EXPECT_TRUE(Eventually(kSoon, [&] { return borrower->held() == 12; }));
    }
    EXPECT_TRUE(BecomeRight(3));
  }
  EXPECT_TRUE(broker_->BecomesIdle(kSoon));
}

}  // namespace
}  // namespace kvbroker

int main(int argc, char** argv) {
  if (const std::optional<int> client = kvbroker::RunAsClientProcess(argc, argv)) return *client;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
