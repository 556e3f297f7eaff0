#include "client/session/room_desk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "absl/time/clock.h"

namespace kvbroker {
namespace {

constexpr absl::Duration kLong = absl::Seconds(10);

class RoomDeskTest : public ::testing::Test {
 protected:
  RoomDeskTest() { desk_.BrokerBack(); }

  // Asks in another thread, and returns when the request is on its way out.
  std::future<absl::Status> Ask(Bytes bytes, absl::Duration ttl = absl::ZeroDuration()) {
    std::future<absl::Status> answer =
        std::async(std::launch::async, [this, bytes, ttl] { return desk_.Reserve(bytes, kLong, ttl); });
    asked_ = Next().reserve_external();
    EXPECT_EQ(asked_.bytes(), bytes.in_bytes());
    return answer;
  }

  // A room that is ready.
  void Reserve(Bytes bytes, absl::Duration ttl = absl::ZeroDuration()) {
    std::future<absl::Status> answer = Ask(bytes, ttl);
    desk_.Ready(asked_.request_id());
    EXPECT_TRUE(answer.get().ok());
  }

  // Waits for a message that goes out, the only one.
  v1::ClientMessage Next() {
    std::vector<v1::ClientMessage> messages;
    for (const absl::Time deadline = absl::Now() + kLong; messages.empty() && absl::Now() < deadline;) {
      std::this_thread::yield();
      messages = desk_.TakeOutgoing();
    }
    EXPECT_EQ(messages.size(), 1u);
    return messages.empty() ? v1::ClientMessage() : messages.front();
  }

  std::atomic<int> wakes_{0};
  RoomDesk desk_{[this] { ++wakes_; }};
  v1::ReserveExternal asked_;  // the newest
};

TEST_F(RoomDeskTest, ReserveReturnsWhenTheRoomIsReady) {
  std::future<absl::Status> answer = Ask(GiB(22), absl::Seconds(30));
  EXPECT_NE(asked_.request_id(), 0u);
  EXPECT_EQ(asked_.ttl_ms(), 30'000u);
  EXPECT_EQ(answer.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  desk_.Ready(asked_.request_id() + 1);
  EXPECT_EQ(answer.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout) << "another's";
  desk_.Ready(asked_.request_id());
  EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(wakes_, 1);
}

TEST_F(RoomDeskTest, TheBrokersRefusalIsReturnedAsItIs) {
  std::future<absl::Status> answer = Ask(GiB(22));
  EXPECT_TRUE(desk_.Refused(asked_.request_id(), absl::ResourceExhaustedError("21 GiB could be freed")));
  EXPECT_EQ(answer.get(), absl::ResourceExhaustedError("21 GiB could be freed"));
  EXPECT_FALSE(desk_.Refused(asked_.request_id(), absl::InternalError(""))) << "nobody waits";
  Reserve(GiB(21));
}

TEST_F(RoomDeskTest, ATimeoutGivesTheRoomUp) {
  EXPECT_EQ(desk_.Reserve(GiB(1), absl::Milliseconds(1), absl::ZeroDuration()).code(),
            absl::StatusCode::kDeadlineExceeded);
  const std::vector<v1::ClientMessage> messages = desk_.TakeOutgoing();
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[1].external_settled().request_id(), messages[0].reserve_external().request_id());
  EXPECT_EQ(messages[1].external_settled().bytes(), 0u);
  desk_.Ready(messages[0].reserve_external().request_id());
  EXPECT_EQ(desk_.Settle(GiB(1)).code(), absl::StatusCode::kFailedPrecondition) << "an answer that comes too late";
}

TEST_F(RoomDeskTest, ThereIsOneRoomAtATime) {
  std::future<absl::Status> answer = Ask(GiB(2));
  EXPECT_EQ(desk_.Reserve(GiB(1), kLong, {}).code(), absl::StatusCode::kFailedPrecondition) << "asked for";
  EXPECT_EQ(desk_.Settle(GiB(1)).code(), absl::StatusCode::kFailedPrecondition) << "not ready";
  desk_.Ready(asked_.request_id());
  EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(desk_.Reserve(GiB(1), kLong, {}).code(), absl::StatusCode::kFailedPrecondition) << "not settled";

  EXPECT_TRUE(desk_.Settle(GiB(1)).ok());
  const v1::ClientMessage settled = Next();
  EXPECT_EQ(settled.external_settled().request_id(), asked_.request_id());
  EXPECT_EQ(settled.external_settled().bytes(), GiB(1).in_bytes());
  EXPECT_EQ(desk_.Settle(GiB(1)).code(), absl::StatusCode::kFailedPrecondition) << "settled";
  const uint64_t before = asked_.request_id();
  Reserve(GiB(1));
  EXPECT_GT(asked_.request_id(), before);
}

TEST_F(RoomDeskTest, WithoutABrokerThereIsNoRoom) {
  std::future<absl::Status> answer = Ask(GiB(1));
  desk_.BrokerAway();
  EXPECT_EQ(answer.get().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(desk_.Reserve(GiB(1), kLong, {}).code(), absl::StatusCode::kUnavailable);
  desk_.BrokerBack();
  EXPECT_TRUE(desk_.TakeOutgoing().empty()) << "nobody waits for it any more";
}

TEST_F(RoomDeskTest, ARequestThatWasNotSentBeforeTheBrokerWentAwayIsNotSentToTheNext) {
  std::thread asking([this] { EXPECT_EQ(desk_.Reserve(GiB(1), kLong, {}).code(), absl::StatusCode::kUnavailable); });
  while (wakes_ == 0) std::this_thread::yield();
  desk_.BrokerAway();
  asking.join();
  desk_.BrokerBack();
  EXPECT_TRUE(desk_.TakeOutgoing().empty());
}

TEST_F(RoomDeskTest, AnUnsettledRoomIsAskedForAgain) {
  Reserve(GiB(3), absl::Hours(1));
  desk_.BrokerAway();
  desk_.BrokerBack();
  const v1::ReserveExternal again = Next().reserve_external();
  EXPECT_EQ(again.bytes(), GiB(3).in_bytes());
  EXPECT_LE(again.ttl_ms(), 3'600'000u);
  EXPECT_GT(again.ttl_ms(), 3'500'000u) << "what is left of its time";
  desk_.Ready(again.request_id());
  EXPECT_TRUE(desk_.Settle(GiB(2)).ok());
}

TEST_F(RoomDeskTest, ARoomIsSettledWithoutABrokerToo) {
  Reserve(GiB(3));
  desk_.BrokerAway();
  EXPECT_TRUE(desk_.Settle(GiB(2)).ok());
  desk_.BrokerBack();
  EXPECT_TRUE(desk_.TakeOutgoing().empty());
}

TEST_F(RoomDeskTest, ARoomWhoseTimeHasPassedIsSettledByItself) {
  Reserve(GiB(3), absl::Nanoseconds(1));
  EXPECT_EQ(desk_.Settle(GiB(2)).code(), absl::StatusCode::kFailedPrecondition);
  Reserve(GiB(1));
}

TEST_F(RoomDeskTest, WhatCannotBeIsRefusedHere) {
  EXPECT_EQ(desk_.Reserve(Bytes(), kLong, {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(desk_.Reserve(GiB(1), kLong, absl::Seconds(-1)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(wakes_, 0);
}

}  // namespace
}  // namespace kvbroker
