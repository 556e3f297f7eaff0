// What the C API tells the broker, and tells of it: with one that the test speaks for.

#include <gtest/gtest.h>
#include <poll.h>

#include <future>
#include <string>

#include "client/capi/kvbroker.h"
#include "client/testing/fake_broker.h"

namespace {

using kvbroker::FakeBroker;
using kvbroker::MiB;
namespace v1 = kvbroker::v1;

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kSoonNs = 10 * KVB_SECOND;

#define EXPECT_OK(call) EXPECT_EQ(call, KVB_OK) << kvb_last_error()
#define ASSERT_OK(call) ASSERT_EQ(call, KVB_OK) << kvb_last_error()

class WithFakeBrokerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string socket = broker_.socket();
    const kvb_session_config config = {
        .size = sizeof(config), .tenant = "a", .socket = socket.c_str(), .progress_floor_bytes = 3 * kMiB};
    ASSERT_OK(kvb_session_open(&config, &session_));
    const uint64_t extent = 2 * kMiB;
    const kvb_arena_config arena = {.size = sizeof(arena), .planes = 1, .extent_bytes = &extent, .slots = 10};
    ASSERT_OK(kvb_arena_create(session_, &arena, &arena_));
  }
  void TearDown() override {
    EXPECT_OK(kvb_arena_destroy(arena_));
    EXPECT_OK(kvb_session_close(session_));
  }

  // The next event of this kind, in a struct of `size` bytes.
  kvb_event Next(uint32_t kind, uint32_t size = sizeof(kvb_event)) {
    kvb_event event = {};
    pollfd readable = {.fd = kvb_event_fd(session_), .events = POLLIN};
    while (poll(&readable, 1, 10'000) == 1) {
      event.size = size;
      EXPECT_OK(kvb_next_event(session_, &event));
      if (event.kind == kind) return event;
    }
    ADD_FAILURE() << "no event of kind " << kind;
    return event;
  }

  FakeBroker broker_;
  kvb_session* session_ = nullptr;
  kvb_arena* arena_ = nullptr;
};

TEST_F(WithFakeBrokerTest, TheProgressFloorIsInHello) { EXPECT_EQ(broker_.hello().progress_floor_bytes(), 3 * kMiB); }

TEST_F(WithFakeBrokerTest, AReportIsSentClassByClass) {
  ASSERT_OK(kvb_arena_want(arena_, 10, 0, KVB_URGENCY_LOW));
  ASSERT_OK(kvb_arena_wait(arena_, 10, kSoonNs));
  const kvb_holding holding = {.size = sizeof(holding),
                               .response_ms = 7,
                               .free = 1,
                               .cached_by_age = {2, 0, 0, 0, 0, 0, 0, 3},
                               .compactable = 4,
                               .preemptible = 5,
                               .pinned = 6,
                               .refault_bytes = 100 * kMiB};
  ASSERT_OK(kvb_arena_report(arena_, &holding));
  EXPECT_TRUE(broker_.Hears([](const v1::ClientMessage& heard) {
    const v1::Holding& told = heard.holding();
    return told.response_ms() == 7 && told.free() == 1 && told.cached_by_age_size() == 8 &&
           told.cached_by_age(0) == 2 && told.cached_by_age(7) == 3 && told.compactable() == 4 &&
           told.preemptible() == 5 && told.pinned() == 6 && told.refault_bytes() == 100 * kMiB;
  }));
}

TEST_F(WithFakeBrokerTest, AReportBeyondTheArenaNamesTheField) {
  kvb_holding holding = {.size = sizeof(holding), .free = 10 * kMiB, .preemptible = 10 * kMiB};
  EXPECT_OK(kvb_arena_report(arena_, &holding));
  holding.cached_by_age[3] = 1;
  EXPECT_EQ(kvb_arena_report(arena_, &holding), KVB_INVALID_ARGUMENT);
  EXPECT_NE(std::string(kvb_last_error()).find("preemptible"), std::string::npos) << kvb_last_error();
  holding.cached_by_age[3] = UINT64_MAX;
  EXPECT_EQ(kvb_arena_report(arena_, &holding), KVB_INVALID_ARGUMENT);
  EXPECT_NE(std::string(kvb_last_error()).find("cached_by_age[3]"), std::string::npos) << kvb_last_error();
  EXPECT_EQ(kvb_arena_report(arena_, nullptr), KVB_INVALID_ARGUMENT);
}

TEST_F(WithFakeBrokerTest, ATargetHasADeadlineForThoseWhoKnowOfIt) {
  v1::Target target;
  target.set_within_ms(60'000);
  target.set_eviction_age_ms(4'000);
  target.set_urgency(v1::URGENCY_HIGH);
  broker_.SayTarget(MiB(8), target);
  kvb_event event = Next(KVB_EVENT_TARGET);
  EXPECT_EQ(event.bytes, 8 * kMiB);
  EXPECT_GT(event.within_ms, 40'000u);
  EXPECT_LE(event.within_ms, 60'000u);
  EXPECT_EQ(event.eviction_age_ms, 4'000u);
  EXPECT_EQ(event.urgent, 1u);
  struct kvb_session_info info = {.size = sizeof(info)};
  ASSERT_OK(kvb_session_info(session_, &info));
  EXPECT_GT(info.target_within_ms, 40'000u);
  EXPECT_EQ(info.eviction_age_ms, 4'000u);

  broker_.SayTarget(MiB(8), target);
  event = Next(KVB_EVENT_TARGET, /*size=*/256);
  EXPECT_EQ(event.bytes, 8 * kMiB);
  EXPECT_EQ(event.within_ms, 0u) << "a program of revision 1 is left alone";
}

TEST_F(WithFakeBrokerTest, ATargetWithoutADeadlineHasZeroes) {
  broker_.SayTarget(MiB(8));
  const kvb_event event = Next(KVB_EVENT_TARGET);
  EXPECT_EQ(event.within_ms, 0u);
  EXPECT_EQ(event.eviction_age_ms, 0u);
  EXPECT_EQ(event.urgent, 0u);
  struct kvb_session_info info = {.size = sizeof(info)};
  ASSERT_OK(kvb_session_info(session_, &info));
  EXPECT_EQ(info.target_within_ms, 0u);
  EXPECT_EQ(info.eviction_age_ms, 0u);
}

TEST_F(WithFakeBrokerTest, RoomIsReservedAndSettled) {
  std::future<kvb_status> reserved =
      std::async(std::launch::async, [&] { return kvb_room_reserve(session_, 22 * kMiB, kSoonNs); });
  const auto is_room = [](const v1::ClientMessage& heard) { return heard.has_reserve_external(); };
  ASSERT_TRUE(broker_.Hears(is_room));
  const v1::ReserveExternal asked = broker_.Heard(is_room).front().reserve_external();
  EXPECT_EQ(asked.bytes(), 22 * kMiB);
  EXPECT_EQ(asked.ttl_ms(), 0u);
  EXPECT_EQ(kvb_room_reserve(session_, 1, 0), KVB_FAILED_PRECONDITION);
  v1::BrokerMessage ready;
  ready.mutable_room_ready()->set_request_id(asked.request_id());
  broker_.Say(ready);
  EXPECT_EQ(reserved.get(), KVB_OK);
  EXPECT_OK(kvb_room_settle(session_, 20 * kMiB));
  EXPECT_TRUE(
      broker_.Hears([](const v1::ClientMessage& heard) { return heard.external_settled().bytes() == 20 * kMiB; }));
  EXPECT_EQ(kvb_room_settle(session_, 20 * kMiB), KVB_FAILED_PRECONDITION);
  EXPECT_EQ(kvb_room_reserve(session_, 0, 0), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_room_reserve(session_, kMiB, 1), KVB_DEADLINE_EXCEEDED);
}

TEST_F(WithFakeBrokerTest, AWantThatCanNeverBeMetIsNotWaitedFor) {
  broker_.set_grants(false);
  ASSERT_OK(kvb_arena_want(arena_, 10, 10, KVB_URGENCY_HIGH));
  ASSERT_TRUE(broker_.Hears([](const v1::ClientMessage& heard) { return heard.want().urgency() == v1::URGENCY_HIGH; }));
  v1::BrokerMessage never;
  never.mutable_error()->set_code(KVB_RESOURCE_EXHAUSTED);
  never.mutable_error()->set_message("the limit is 8 MiB");
  never.mutable_error()->set_arena_id(kvb_arena_id(arena_));
  never.mutable_error()->set_of_want(true);
  never.mutable_error()->set_want_revision(UINT64_MAX);
  broker_.Say(never);
  EXPECT_EQ(kvb_arena_wait(arena_, 10, kSoonNs), KVB_FAILED_PRECONDITION);
  EXPECT_STREQ(kvb_last_error(), "the limit is 8 MiB");
  EXPECT_EQ(Next(KVB_EVENT_REFUSED).arena, kvb_arena_id(arena_));
}

TEST_F(WithFakeBrokerTest, TheModeIsTold) {
  EXPECT_OK(kvb_set_mode(session_, KVB_MODE_ASLEEP));
  EXPECT_TRUE(
      broker_.Hears([](const v1::ClientMessage& heard) { return heard.set_mode().mode() == v1::SetMode::ASLEEP; }));
  EXPECT_EQ(kvb_set_mode(session_, 3), KVB_INVALID_ARGUMENT);
  EXPECT_OK(kvb_external_report(session_, 5, 4));
  EXPECT_TRUE(broker_.Hears([](const v1::ClientMessage& heard) { return heard.external().trimmable() == 4; }));
  EXPECT_EQ(kvb_external_report(session_, 4, 5), KVB_INVALID_ARGUMENT);
}

}  // namespace
