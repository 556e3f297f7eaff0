// A session and its arenas against a broker that says what the test has it say.

#include "client/session/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "client/testing/fake_broker.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using Kind = SessionEvent::Kind;
using Heard = v1::ClientMessage;

constexpr absl::Duration kSoon = absl::Seconds(10);

template <typename Condition>
bool Eventually(Condition holds) {
  for (const absl::Time deadline = absl::Now() + kSoon; absl::Now() < deadline; absl::SleepFor(absl::Milliseconds(1))) {
    if (holds()) return true;
  }
  return false;
}

bool IsHolding(const Heard& heard) { return heard.has_holding(); }
bool IsWant(const Heard& heard) { return heard.has_want(); }
bool IsRoom(const Heard& heard) { return heard.has_reserve_external(); }

class SessionTest : public ::testing::Test {
 protected:
  std::unique_ptr<Session> Open(SessionOptions options = {}) {
    options.tenant = "a";
    options.socket = broker_.socket();
    options.device = &broker_.device();
    return *Session::Open(options);
  }

  // An arena of slots of 2 MiB that grows by wants alone.
  std::unique_ptr<Arena> CreateArena(uint64_t slots = 64) {
    return *session_->CreateArena({.planes = {MiB(2)}, .slots = slots, .low = 0});
  }

  // An arena with so many slots taken, and wanted no longer.
  std::unique_ptr<Arena> ArenaWithTaken(uint64_t slots) {
    std::unique_ptr<Arena> arena = CreateArena();
    EXPECT_TRUE(arena->SetWant(slots).ok());
    EXPECT_TRUE(arena->WaitReady(slots, kSoon).ok());
    for (uint64_t i = 0; i < slots; ++i) EXPECT_TRUE(arena->Take().has_value());
    EXPECT_TRUE(arena->SetWant(0).ok());
    return arena;
  }

  // The next event of this kind; others are passed over.
  SessionEvent Next(Kind kind) {
    std::optional<SessionEvent> event;
    EXPECT_TRUE(Eventually([&] {
      event = session_->NextEvent();
      return event.has_value() && event->kind == kind;
    }));
    return event.value_or(SessionEvent());
  }

  // Breaks the connection and lets the session come back.
  void Reconnect() {
    broker_.Leave();
    Next(Kind::kBrokerAway);
    broker_.Return();
    Next(Kind::kBrokerBack);
  }

  // The totals that the session has told as released, in order.
  std::vector<uint64_t> ReleasedTotals() {
    std::vector<uint64_t> totals;
    for (const Heard& heard : broker_.Heard([](const Heard& heard) { return heard.has_released(); })) {
      totals.push_back(heard.released().cumulative_slots());
    }
    return totals;
  }

  FakeBroker broker_;
  std::unique_ptr<Session> session_ = Open();
};

// ---------------------------------------------------------------- wants

TEST_F(SessionTest, AnArenaThatGrowsByWantsAloneMayWantLessThanIsTaken) {
  const std::unique_ptr<Arena> arena = ArenaWithTaken(3);
  ASSERT_TRUE(arena->SetWant(1).ok());
  EXPECT_TRUE(broker_.Hears([](const Heard& heard) { return heard.has_want() && heard.want().slots() == 1; }));
  EXPECT_EQ(arena->stats().taken, 3);
}

// ---------------------------------------------------------------- holdings

TEST_F(SessionTest, AReportIsSentWithWhatTheLibraryKnows) {
  const std::unique_ptr<Arena> arena = ArenaWithTaken(3);
  ASSERT_TRUE(arena->Return(0).ok());
  broker_.SayTarget(GiB(1));
  HoldingReport report = {.free = MiB(1), .pinned = MiB(1), .refault = MiB(9), .response = absl::Milliseconds(20)};
  report.cached_by_age[2] = MiB(2);
  ASSERT_TRUE(arena->Report(report).ok());
  EXPECT_TRUE(broker_.Hears([](const Heard& heard) {
    const v1::Holding& holding = heard.holding();
    return holding.arena_id() == 1 && holding.mapped() == MiB(6).in_bytes() && holding.spare() == MiB(2).in_bytes() &&
           holding.free() == MiB(1).in_bytes() && holding.cached_by_age_size() == 8 &&
           holding.cached_by_age(2) == MiB(2).in_bytes() && holding.pinned() == MiB(1).in_bytes() &&
           holding.refault_bytes() == MiB(9).in_bytes() && holding.response_ms() == 20 &&
           holding.target_revision_seen() == 1;
  }));
}

TEST_F(SessionTest, AnEmbedderThatNeverReportsHasItsSpareToldAndRepeated) {
  const std::unique_ptr<Arena> arena = CreateArena();
  ASSERT_TRUE(arena->SetWant(2).ok());
  const auto spare = [](const Heard& heard) {
    return heard.holding().mapped() == MiB(4).in_bytes() && heard.holding().spare() == MiB(4).in_bytes() &&
           heard.holding().pinned() == 0;
  };
  ASSERT_TRUE(broker_.Hears(spare));
  EXPECT_TRUE(broker_.Hears(spare, 2));
}

TEST_F(SessionTest, ManyReportsAreSentAsFew) {
  const std::unique_ptr<Arena> arena = ArenaWithTaken(1);
  const absl::Time start = absl::Now();
  for (uint64_t i = 1; i <= 200; ++i) {
    ASSERT_TRUE(arena->Report({.refault = Bytes(i)}).ok());
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_TRUE(broker_.Hears([](const Heard& heard) { return heard.holding().refault_bytes() == 200; }));
  const double most = absl::ToDoubleSeconds(absl::Now() - start) * 20 + 3;
  EXPECT_LE(static_cast<double>(broker_.Heard(IsHolding).size()), most);
}

TEST_F(SessionTest, AnArenaThatHoldsNothingCostsNothing) {
  const std::unique_ptr<Arena> arena = CreateArena();
  absl::SleepFor(absl::Milliseconds(1200));
  EXPECT_TRUE(broker_.Heard(IsHolding).empty());
}

TEST_F(SessionTest, AReportBeyondTheArenaIsRefused) {
  const std::unique_ptr<Arena> arena = CreateArena(1);
  EXPECT_EQ(arena->Report({.pinned = MiB(3)}).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SessionTest, AnotherBrokerIsToldTheHoldingsToo) {
  const std::unique_ptr<Arena> arena = ArenaWithTaken(1);
  ASSERT_TRUE(arena->Report({.pinned = MiB(2)}).ok());
  const auto pinned = [](const Heard& heard) { return heard.holding().pinned() == MiB(2).in_bytes(); };
  ASSERT_TRUE(broker_.Hears(pinned));
  Reconnect();
  for (const uint64_t slots : {5, 6}) {
    ASSERT_TRUE(arena->SetWant(slots).ok());
    ASSERT_TRUE(broker_.Hears([&](const Heard& heard) { return heard.want().slots() == slots; }));
  }
  EXPECT_FALSE(broker_.Heard(pinned).empty()) << "at once, and not only when it is repeated";
}

// ---------------------------------------------------------------- targets

TEST_F(SessionTest, ATargetCarriesItsDeadlineUrgencyAndEvictionAge) {
  v1::Target target;
  target.set_within_ms(60'000);
  target.set_urgency(v1::URGENCY_HIGH);
  target.set_eviction_age_ms(16'000);
  target.set_reason("others wait");
  broker_.SayTarget(MiB(8), target);
  const SessionEvent event = Next(Kind::kTarget);
  EXPECT_EQ(event.bytes, MiB(8));
  EXPECT_LE(event.within, absl::Seconds(60));
  EXPECT_GT(event.within, absl::Seconds(40));
  EXPECT_TRUE(event.urgent);
  EXPECT_EQ(event.eviction_age, absl::Seconds(16));
  EXPECT_EQ(event.text, "others wait");
  const Session::Info info = session_->info();
  EXPECT_EQ(info.target, MiB(8));
  EXPECT_LE(info.target_within, event.within);
  EXPECT_EQ(info.eviction_age, absl::Seconds(16));
}

TEST_F(SessionTest, ATargetWithoutADeadlineHasNone) {
  broker_.SayTarget(MiB(8));
  const SessionEvent event = Next(Kind::kTarget);
  EXPECT_EQ(event.within, absl::InfiniteDuration());
  EXPECT_FALSE(event.urgent);
  EXPECT_EQ(event.eviction_age, absl::InfiniteDuration());
  EXPECT_EQ(session_->info().target_within, absl::InfiniteDuration());
}

TEST_F(SessionTest, RetiredSlotsAreReleasedInBatches) {
  const std::unique_ptr<Arena> arena = ArenaWithTaken(20);
  std::vector<uint64_t> slots(20);
  for (uint64_t i = 0; i < 20; ++i) slots[i] = i;
  ASSERT_TRUE(arena->Retire(slots).ok());
  EXPECT_TRUE(broker_.Hears([](const Heard& heard) { return heard.released().cumulative_slots() == 20; }));
  EXPECT_THAT(ReleasedTotals(), ElementsAre(8, 16, 20));
}

TEST_F(SessionTest, ReadySlotsBeyondALoweredTargetAreGivenBackAtOnceInBatches) {
  const std::unique_ptr<Arena> arena = CreateArena();
  ASSERT_TRUE(arena->SetWant(20).ok() && arena->WaitReady(20, kSoon).ok());
  broker_.set_grants(false);
  broker_.SayTarget(MiB(6));
  EXPECT_TRUE(broker_.Hears([](const Heard& heard) { return heard.released().cumulative_slots() == 17; }));
  EXPECT_THAT(ReleasedTotals(), ElementsAre(8, 16, 17));
  EXPECT_EQ(arena->stats().mapped, 3u);
}

// ---------------------------------------------------------------- room

TEST_F(SessionTest, RoomIsReservedAndSettled) {
  std::future<absl::Status> reserved =
      std::async(std::launch::async, [&] { return session_->ReserveRoom(GiB(22), kSoon, absl::Seconds(90)); });
  ASSERT_TRUE(broker_.Hears(IsRoom));
  const v1::ReserveExternal asked = broker_.Heard(IsRoom).front().reserve_external();
  EXPECT_EQ(asked.bytes(), GiB(22).in_bytes());
  EXPECT_EQ(asked.ttl_ms(), 90'000u);

  const std::unique_ptr<Arena> arena = CreateArena();
  EXPECT_TRUE(arena->SetWant(1).ok() && arena->WaitReady(1, kSoon).ok()) << "the worker is not blocked";

  v1::BrokerMessage ready;
  ready.mutable_room_ready()->set_request_id(asked.request_id());
  broker_.Say(ready);
  EXPECT_TRUE(reserved.get().ok());
  EXPECT_TRUE(session_->SettleRoom(GiB(20)).ok());
  EXPECT_TRUE(broker_.Hears([&](const Heard& heard) {
    return heard.external_settled().request_id() == asked.request_id() &&
           heard.external_settled().bytes() == GiB(20).in_bytes();
  }));
}

TEST_F(SessionTest, RefusedRoomIsTheBrokersErrorAndNoEvent) {
  std::future<absl::Status> reserved =
      std::async(std::launch::async, [&] { return session_->ReserveRoom(GiB(22), kSoon); });
  ASSERT_TRUE(broker_.Hears(IsRoom));
  v1::BrokerMessage refused;
  refused.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
  refused.mutable_error()->set_message("never so much");
  refused.mutable_error()->set_request_id(broker_.Heard(IsRoom).front().reserve_external().request_id());
  broker_.Say(refused);
  EXPECT_EQ(reserved.get(), absl::ResourceExhaustedError("never so much"));
  EXPECT_FALSE(session_->NextEvent().has_value());
}

TEST_F(SessionTest, RoomThatIsNotReadyInTimeIsGivenUp) {
  EXPECT_EQ(session_->ReserveRoom(GiB(22), absl::Milliseconds(5)).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(broker_.Hears([](const Heard& heard) {
    return heard.external_settled().request_id() != 0 && heard.external_settled().bytes() == 0;
  }));
}

TEST_F(SessionTest, WhileTheBrokerIsAwayThereIsNoRoom) {
  broker_.Leave();
  Next(Kind::kBrokerAway);
  EXPECT_EQ(session_->ReserveRoom(GiB(1), kSoon).code(), absl::StatusCode::kUnavailable);
}

TEST_F(SessionTest, UnsettledRoomIsAskedForAgainOfAnotherBroker) {
  std::future<absl::Status> reserved =
      std::async(std::launch::async, [&] { return session_->ReserveRoom(GiB(2), kSoon); });
  ASSERT_TRUE(broker_.Hears(IsRoom));
  v1::BrokerMessage ready;
  ready.mutable_room_ready()->set_request_id(broker_.Heard(IsRoom).front().reserve_external().request_id());
  broker_.Say(ready);
  ASSERT_TRUE(reserved.get().ok());
  Reconnect();
  EXPECT_TRUE(broker_.Hears([](const Heard& heard) { return heard.reserve_external().bytes() == GiB(2).in_bytes(); }));
  EXPECT_TRUE(session_->SettleRoom(GiB(2)).ok());
}

TEST_F(SessionTest, ASessionForRoomOnlyOpensNoDeviceAndHasNoArenas) {
  session_.reset();
  const std::unique_ptr<Session> session =
      *Session::Open({.tenant = "a", .socket = broker_.socket(), .room_only = true});
  EXPECT_EQ(session->info().device_uuid, "HOST-fake");
  EXPECT_EQ(session->info().granularity, MiB(2));
  EXPECT_EQ(session->CreateArena({.planes = {MiB(2)}, .slots = 1}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(session->ReserveRoom(GiB(1), absl::Milliseconds(1)).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(SessionTest, AChangedLimitIsKnownAndAnEvent) {
  v1::BrokerMessage message;
  message.mutable_policy_changed()->set_limit(MiB(6).in_bytes());
  broker_.Say(message);
  const SessionEvent event = Next(Kind::kTarget);
  EXPECT_EQ(event.text, "the tenant's limit has changed");
  EXPECT_EQ(event.bytes, session_->info().target);
  EXPECT_EQ(session_->info().limit, MiB(6));
  message.mutable_policy_changed()->set_limit(UINT64_MAX);
  broker_.Say(message);
  Next(Kind::kTarget);
  EXPECT_EQ(session_->info().limit, std::nullopt);
}

// ---------------------------------------------------------------- wants

v1::BrokerMessage NeverEnough(uint64_t arena, uint64_t want_revision = UINT64_MAX) {
  v1::BrokerMessage message;
  message.mutable_error()->set_want_revision(want_revision);
  message.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
  message.mutable_error()->set_message("the tenant's limit is 8 MiB");
  message.mutable_error()->set_arena_id(arena);
  message.mutable_error()->set_of_want(true);
  return message;
}

TEST_F(SessionTest, AWantThatCanNeverBeMetEndsTheWaitUntilItIsSaidAnew) {
  broker_.set_grants(false);
  const std::unique_ptr<Arena> arena = CreateArena();
  ASSERT_TRUE(arena->SetWant(50, 50).ok());
  ASSERT_TRUE(broker_.Hears(IsWant));
  std::future<absl::Status> waiting = std::async(std::launch::async, [&] { return arena->WaitReady(50, kSoon); });
  broker_.Say(NeverEnough(1));
  EXPECT_EQ(waiting.wait_for(std::chrono::seconds(5)), std::future_status::ready) << "at once";
  EXPECT_EQ(waiting.get(), absl::FailedPreconditionError("the tenant's limit is 8 MiB"));
  const SessionEvent event = Next(Kind::kRefused);
  EXPECT_EQ(event.arena, 1u);
  EXPECT_EQ(event.text, "the tenant's limit is 8 MiB");
  EXPECT_EQ(arena->WaitReady(50, kSoon).code(), absl::StatusCode::kFailedPrecondition) << "not waited for again";

  broker_.set_grants(true);
  ASSERT_TRUE(arena->SetWant(50, 50).ok());
  EXPECT_TRUE(arena->WaitReady(50, kSoon).ok()) << "the same want is told anew";
}

TEST_F(SessionTest, ARefusalOfAnOlderWantIsAboutNothingAnyMore) {
  broker_.set_grants(false);
  const std::unique_ptr<Arena> arena = CreateArena();
  ASSERT_TRUE(arena->SetWant(50, 50).ok());
  ASSERT_TRUE(broker_.Hears(IsWant));
  broker_.Say(NeverEnough(1, /*want_revision=*/0));
  EXPECT_EQ(arena->WaitReady(50, absl::Milliseconds(50)).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(SessionTest, AnErrorThatIsNotOfAWantEndsNoWait) {
  broker_.set_grants(false);
  const std::unique_ptr<Arena> arena = CreateArena();
  v1::BrokerMessage error = NeverEnough(1);
  error.mutable_error()->set_of_want(false);
  broker_.Say(error);
  Next(Kind::kRefused);
  EXPECT_EQ(arena->WaitReady(1, absl::Milliseconds(20)).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(SessionTest, AnotherBrokerMayMeetWhatTheOldOneCouldNot) {
  broker_.set_grants(false);
  const std::unique_ptr<Arena> arena = CreateArena();
  ASSERT_TRUE(arena->SetWant(4).ok());
  ASSERT_TRUE(broker_.Hears(IsWant));
  broker_.Say(NeverEnough(1));
  Next(Kind::kRefused);
  Reconnect();
  EXPECT_EQ(arena->WaitReady(4, absl::Milliseconds(20)).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(SessionTest, TheUrgencyOfAWantIsSentAlsoWhereItAloneHasChanged) {
  const std::unique_ptr<Arena> arena = CreateArena();
  ASSERT_TRUE(arena->SetWant(1, 0, Urgency::kLow).ok());
  EXPECT_TRUE(broker_.Hears([](const Heard& heard) { return heard.want().urgency() == v1::URGENCY_LOW; }));
  ASSERT_TRUE(arena->SetWant(1, 0, Urgency::kHigh).ok());
  EXPECT_TRUE(broker_.Hears([](const Heard& heard) {
    return heard.want().urgency() == v1::URGENCY_HIGH && heard.want().slots() == 1 && heard.want().revision() >= 2;
  }));
}

// ---------------------------------------------------------------- a broker that comes back

TEST_F(SessionTest, WhoComesBackSaysWhatItHoldsAndGrowsOnFromThere) {
  const std::unique_ptr<Arena> arena = ArenaWithTaken(3);
  const v1::Hello hello = broker_.hello();
  Reconnect();
  const v1::Resume resume = broker_.resume();
  EXPECT_EQ(resume.hello().tenant(), hello.tenant());
  EXPECT_EQ(resume.session_id(), 1u);
  EXPECT_EQ(resume.epoch_seen(), 1u);
  ASSERT_EQ(resume.inventory_size(), 1);
  EXPECT_EQ(resume.inventory(0).active_slots(), 3u);
  EXPECT_EQ(resume.inventory(0).arena().arena_id(), 1u);
  EXPECT_EQ(resume.inventory(0).arena().planes(0).extent_bytes(), MiB(2).in_bytes());

  ASSERT_TRUE(arena->SetWant(5).ok());
  EXPECT_TRUE(arena->WaitReady(2, kSoon).ok());
  EXPECT_EQ(arena->stats().granted, 5u);
  ASSERT_TRUE(arena->SetWant(0).ok());
  const std::vector<uint64_t> slots = {0, 1, 2};
  ASSERT_TRUE(arena->Retire(slots).ok());
  EXPECT_TRUE(broker_.Hears([](const Heard& heard) { return heard.released().cumulative_slots() >= 3; }));
}

TEST_F(SessionTest, ToABrokerThatTakesNothingOverItComesAsANewOne) {
  const std::unique_ptr<Arena> arena = ArenaWithTaken(3);
  broker_.set_resumes(false);
  Reconnect();
  ASSERT_TRUE(arena->SetWant(5).ok());
  // Three are mapped that this broker does not know of.
  EXPECT_TRUE(broker_.Hears([&](const Heard& heard) { return heard.want().slots() == 2; }));
  EXPECT_TRUE(arena->WaitReady(2, kSoon).ok());
  EXPECT_EQ(arena->stats().granted, 5u);
}

// ---------------------------------------------------------------- the session itself

TEST_F(SessionTest, TheModeIsToldAndToldAgainToAnotherBroker) {
  const auto asleep = [](const Heard& heard) {
    return heard.has_set_mode() && heard.set_mode().mode() == v1::SetMode::ASLEEP;
  };
  ASSERT_TRUE(session_->SetMode(SessionMode::kIdle).ok());
  ASSERT_TRUE(session_->SetMode(SessionMode::kAsleep).ok());
  ASSERT_TRUE(session_->SetMode(SessionMode::kAsleep).ok());
  ASSERT_TRUE(broker_.Hears(asleep));
  Reconnect();
  EXPECT_TRUE(broker_.Hears(asleep));
  ASSERT_TRUE(session_->SetMode(SessionMode::kActive).ok());
  EXPECT_TRUE(broker_.Hears(
      [](const Heard& heard) { return heard.has_set_mode() && heard.set_mode().mode() == v1::SetMode::ACTIVE; }));
  EXPECT_EQ(broker_.Heard([](const Heard& heard) { return heard.has_set_mode(); }).size(), 2u);
}

TEST_F(SessionTest, WhatIsOutsideIsToldAndTrimsAreEvents) {
  EXPECT_EQ(session_->ReportExternal(MiB(1), MiB(2)).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(session_->ReportExternal(GiB(2), GiB(1)).ok());
  EXPECT_TRUE(broker_.Hears([](const Heard& heard) {
    return heard.external().bytes() == GiB(2).in_bytes() && heard.external().trimmable() == GiB(1).in_bytes();
  }));
  v1::BrokerMessage trim;
  trim.mutable_trim()->set_bytes(MiB(300).in_bytes());
  broker_.Say(trim);
  EXPECT_EQ(Next(Kind::kTrim).bytes, MiB(300));
}

TEST_F(SessionTest, HelloCarriesTheProgressFloor) {
  EXPECT_EQ(broker_.hello().progress_floor_bytes(), 0u);
  session_.reset();
  session_ = Open({.progress_floor = GiB(3)});
  EXPECT_EQ(broker_.hello().progress_floor_bytes(), GiB(3).in_bytes());
}

}  // namespace
}  // namespace kvbroker
