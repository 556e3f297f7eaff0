// What an engine sees of a real broker: growing, giving back, limits, and what happens without the broker.

#include <poll.h>
#include <signal.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kSoon = absl::Seconds(10);

class GrowthTest : public ::testing::Test {
 protected:
  void StartBroker(const std::vector<std::string>& arguments) { broker_ = BrokerProcess::Start(arguments); }

  std::unique_ptr<Session> OpenSession(const std::string& tenant) {
    absl::StatusOr<std::unique_ptr<Session>> session =
        Session::Open({.tenant = tenant, .engine = "growth_test", .socket = broker_->engine_socket()});
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? *std::move(session) : nullptr;
  }

  uint64_t Granted() { return broker_->Status()->memory().granted(); }

  std::unique_ptr<BrokerProcess> broker_;
};

TEST_F(GrowthTest, AnArenaGrowsHoldsDataAndGivesEverythingBack) {
  StartBroker({"--host-memory", "64MiB"});
  auto session = OpenSession("a");
  auto arena = *session->CreateArena({.planes = {MiB(2), MiB(4)}, .slots = 100, .low = 0});
  ASSERT_TRUE(arena->SetWant(5).ok());
  ASSERT_TRUE(arena->WaitReady(5, kSoon).ok());
  EXPECT_EQ(Granted(), MiB(30).in_bytes());

  for (int i = 0; i < 5; ++i) {
    const uint64_t slot = *arena->Take();
    std::memset(reinterpret_cast<void*>(arena->base(0) + slot * MiB(2).in_bytes()), i + 1, MiB(2).in_bytes());
    std::memset(reinterpret_cast<void*>(arena->base(1) + slot * MiB(4).in_bytes()), i + 101, MiB(4).in_bytes());
  }
  EXPECT_EQ(reinterpret_cast<const char*>(arena->base(1))[4 * MiB(4).in_bytes()], 105);
  EXPECT_EQ(arena->Take(), std::nullopt) << "nothing beyond the want";

  ASSERT_TRUE(arena->SetWant(0).ok());
  ASSERT_TRUE(arena->Retire({0, 1, 2, 3, 4}).ok());
  EXPECT_TRUE(Eventually(kSoon, [&] { return Granted() == 0; })) << Granted();
  arena.reset();
  session.reset();
  EXPECT_TRUE(broker_->BecomesIdle(kSoon));
}

TEST_F(GrowthTest, WatermarksKeepSlotsReadyAndGiveSurplusBack) {
  StartBroker({"--host-memory", "128MiB"});
  auto session = OpenSession("a");
  auto arena = *session->CreateArena({.planes = {MiB(2)}, .slots = 50, .low = 2, .high = 4});
  ASSERT_TRUE(arena->WaitReady(4, kSoon).ok()) << "the low mark makes it grow by itself";

  std::vector<uint64_t> taken;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(arena->WaitReady(1, kSoon).ok());
    taken.push_back(*arena->Take());
  }
  for (const uint64_t slot : taken) ASSERT_TRUE(arena->Return(slot).ok());

  EXPECT_TRUE(Eventually(kSoon, [&] { return arena->stats().mapped == 4; })) << arena->stats().mapped;
  EXPECT_TRUE(Eventually(kSoon, [&] { return Granted() == MiB(8).in_bytes(); })) << Granted();
}

TEST_F(GrowthTest, WhatOneGivesBackTheOtherWaitingGets) {
  StartBroker({"--host-memory", "20MiB"});
  auto first = OpenSession("a");
  auto second = OpenSession("b");
  auto large = *first->CreateArena({.planes = {MiB(2)}, .slots = 100, .low = 0});
  auto small = *second->CreateArena({.planes = {MiB(2)}, .slots = 100, .low = 0});
  ASSERT_TRUE(large->SetWant(10).ok());
  ASSERT_TRUE(large->WaitReady(10, kSoon).ok());
  ASSERT_TRUE(small->SetWant(3).ok());
  EXPECT_EQ(small->WaitReady(1, absl::Milliseconds(50)).code(), absl::StatusCode::kDeadlineExceeded);

  ASSERT_TRUE(large->SetWant(7).ok());
  ASSERT_TRUE(large->Retire({*large->Take(), *large->Take(), *large->Take()}).ok());

  EXPECT_TRUE(small->WaitReady(3, kSoon).ok());
  EXPECT_EQ(Granted(), MiB(20).in_bytes());
}

TEST_F(GrowthTest, MemoryPassedOnIsZero) {
  StartBroker({"--host-memory", "4MiB"});
  auto first = OpenSession("a");
  auto second = OpenSession("b");
  auto one = *first->CreateArena({.planes = {MiB(2)}, .slots = 4, .low = 0});
  auto two = *second->CreateArena({.planes = {MiB(2)}, .slots = 4, .low = 0});
  ASSERT_TRUE(one->SetWant(2).ok() && one->WaitReady(2, kSoon).ok());
  const uint64_t slot = *one->Take();
  std::memset(reinterpret_cast<void*>(one->base(0) + slot * MiB(2).in_bytes()), 0xab, MiB(2).in_bytes());
  ASSERT_TRUE(one->SetWant(1).ok() && one->Retire({slot}).ok());

  ASSERT_TRUE(two->SetWant(1).ok() && two->WaitReady(1, kSoon).ok());

  const auto* bytes = reinterpret_cast<const char*>(two->base(0));
  for (size_t i = 0; i < MiB(2).in_bytes(); ++i) ASSERT_EQ(bytes[i], 0) << i;
}

TEST_F(GrowthTest, ALimitStopsGrowthAndIsToldAsTarget) {
  StartBroker({"--host-memory", "64MiB", "--tenant", "a=8MiB"});
  auto session = OpenSession("a");
  EXPECT_EQ(session->info().limit, MiB(8));
  auto arena = *session->CreateArena({.planes = {MiB(2)}, .slots = 30, .low = 0});
  ASSERT_TRUE(arena->SetWant(30).ok());
  ASSERT_TRUE(arena->WaitReady(4, kSoon).ok());
  EXPECT_EQ(arena->WaitReady(5, absl::Milliseconds(100)).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Granted(), MiB(8).in_bytes());
  EXPECT_TRUE(Eventually(kSoon, [&] { return session->info().target == MiB(8); }));
}

TEST_F(GrowthTest, AnUnknownTenantIsRefusedByName) {
  StartBroker({"--tenant", "a=8MiB"});
  const absl::Status refused = Session::Open({.tenant = "gold", .socket = broker_->engine_socket()}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("'gold'"));
}

TEST_F(GrowthTest, NoBrokerIsOneClearError) {
  TempDir empty;
  const absl::Status refused = Session::Open({.tenant = "a", .runtime_dir = empty.path()}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(refused.message()), HasSubstr(empty.path()));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("kvbrokerd"));
}

TEST_F(GrowthTest, AnEngineOutlivesItsBroker) {
  StartBroker({"--host-memory", "64MiB"});
  auto session = OpenSession("a");
  auto arena = *session->CreateArena({.planes = {MiB(2)}, .slots = 30, .low = 0});
  ASSERT_TRUE(arena->SetWant(3).ok() && arena->WaitReady(3, kSoon).ok());
  auto* data = reinterpret_cast<char*>(arena->base(0));
  data[0] = 42;

  broker_->Kill(SIGKILL);
  broker_->Wait();
  ASSERT_TRUE(Eventually(kSoon, [&] { return !session->info().connected; }));
  EXPECT_EQ(data[0], 42) << "it keeps what it holds";
  EXPECT_TRUE(arena->Take().has_value());
  EXPECT_EQ(arena->WaitReady(5, kSoon).code(), absl::StatusCode::kUnavailable) << "growth fails at once";

  broker_->Restart();
  ASSERT_TRUE(Eventually(kSoon, [&] { return session->info().connected; }));
  EXPECT_EQ(session->info().epoch, 2u);
  ASSERT_TRUE(arena->SetWant(6).ok());
  EXPECT_TRUE(arena->WaitReady(5, kSoon).ok()) << "it grows again";
  EXPECT_EQ(data[0], 42);
}

TEST_F(GrowthTest, EventsArriveOnADescriptor) {
  StartBroker({"--tenant", "a=8MiB"});
  auto session = OpenSession("a");
  pollfd readable = {.fd = session->event_fd(), .events = POLLIN};
  ASSERT_EQ(poll(&readable, 1, 10'000), 1);
  std::optional<SessionEvent> event;
  ASSERT_TRUE((event = session->NextEvent()).has_value());
  EXPECT_EQ(event->kind, SessionEvent::Kind::kTarget);
  EXPECT_EQ(event->bytes, MiB(8));
  EXPECT_FALSE(session->NextEvent().has_value());
  EXPECT_EQ(poll(&readable, 1, 0), 0);
}

TEST_F(GrowthTest, SigtermEndsTheBrokerCleanly) {
  StartBroker({});
  auto session = OpenSession("a");
  broker_->Kill(SIGTERM);
  EXPECT_EQ(broker_->Wait(), 0) << broker_->log();
  EXPECT_THAT(broker_->log(), HasSubstr("ending on SIGTERM sessions=1"));
}

}  // namespace
}  // namespace kvbroker
