// A client is killed with all it holds: its memory is free again, nothing is granted twice, the others notice nothing.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <vector>

#include "absl/time/clock.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "gtest/gtest.h"
#include "tests/testing/broker_process.h"
#include "tests/testing/client_process.h"

namespace kvbroker {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(10);
constexpr Bytes kSlot = MiB(2);

class KillTest : public ::testing::Test {
 protected:
  std::unique_ptr<BrokerProcess> broker_ = BrokerProcess::Start({"--host-memory", "256MiB"});
};

TEST_F(KillTest, AKilledClientsMemoryIsFreeWithin200Milliseconds) {
  auto bystander = *Session::Open({.tenant = "bystander", .socket = broker_->engine_socket()});
  auto kept = *bystander->CreateArena({.planes = {kSlot}, .slots = 8, .low = 0});
  ASSERT_TRUE(kept->SetWant(8).ok() && kept->WaitReady(8, kSoon).ok());
  auto* const data = reinterpret_cast<char*>(kept->base(0));
  data[0] = 42;
  while (bystander->NextEvent().has_value()) {
  }
  const uint64_t bystanders = broker_->Status()->memory().granted();
  ClientProcess victim(broker_->engine_socket(), 100);
  ASSERT_TRUE(victim.ready());
  ASSERT_EQ(broker_->Status()->memory().granted(), bystanders + 100 * kSlot.in_bytes());

  const absl::Time killed = absl::Now();
  kill(victim.pid(), SIGKILL);
  const bool back = Eventually(absl::Milliseconds(200), [&] {
    const auto status = broker_->Status();
    return status->memory().granted() == bystanders &&
           status->memory().driver_free() == status->memory().total() - bystanders;
  });

  EXPECT_TRUE(back) << "not within 200 ms";
  RecordProperty("back_after_ms", static_cast<int>(absl::ToInt64Milliseconds(absl::Now() - killed)));
  EXPECT_EQ(broker_->Sessions()->size(), 1u);
  EXPECT_EQ(data[0], 42);
  while (const std::optional<SessionEvent> event = bystander->NextEvent()) {
    EXPECT_EQ(event->kind, SessionEvent::Kind::kReady) << "the other notices nothing: " << event->text;
  }
}

TEST_F(KillTest, AForkedChildThatLivesOnKeepsNothingCharged) {
  // The library keeps its memory out of forked children, so that only the client's own end counts.
  ClientProcess victim(broker_->engine_socket(), 20);
  ASSERT_TRUE(victim.ready());
  victim.Kill();
  EXPECT_TRUE(broker_->BecomesIdle(kSoon));
}

TEST_F(KillTest, KillingManyClientsAtRandomLeaksNothing) {
  for (int round = 0; round < 10; ++round) {
    std::vector<std::unique_ptr<ClientProcess>> clients;
    for (uint64_t i = 0; i < 3; ++i) {
      clients.push_back(std::make_unique<ClientProcess>(broker_->engine_socket(), 10 + 7 * i));
      EXPECT_TRUE(clients.back()->ready());
    }
    clients[static_cast<size_t>(round) % clients.size()]->Kill();
  }
  EXPECT_TRUE(broker_->BecomesIdle(kSoon));
}

TEST_F(KillTest, ALibraryInAForkedChildIsDeadAndItsParentGoesOn) {
  auto session = *Session::Open({.tenant = "a", .socket = broker_->engine_socket()});
  auto arena = *session->CreateArena({.planes = {kSlot}, .slots = 8, .low = 0});
  ASSERT_TRUE(arena->SetWant(4).ok() && arena->WaitReady(4, kSoon).ok());

  const pid_t child = fork();
  if (child == 0) {
    const bool dead =
        !arena->Take().has_value() && arena->SetWant(8).code() == absl::StatusCode::kFailedPrecondition &&
        session->CreateArena({.planes = {kSlot}, .slots = 1}).status().code() == absl::StatusCode::kFailedPrecondition;
    arena.reset();
    session.reset();
    _exit(dead ? 0 : 1);
  }
  int status;
  waitpid(child, &status, 0);

  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(arena->Take().has_value());
  ASSERT_TRUE(arena->SetWant(8).ok());
  EXPECT_TRUE(arena->WaitReady(7, kSoon).ok()) << "the parent still grows";
}

}  // namespace
}  // namespace kvbroker

int main(int argc, char** argv) {
  if (const std::optional<int> client = kvbroker::RunAsClientProcess(argc, argv)) return *client;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
