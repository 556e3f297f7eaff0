// The C API of the library as it is installed, with a real broker on the host device.

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/capi/dlpack.h"
#include "client/capi/kvbroker.h"
#include "gtest/gtest.h"
#include "tests/testing/broker_process.h"

namespace {

using kvbroker::BrokerProcess;
using kvbroker::Eventually;

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kSoonNs = 10 * KVB_SECOND;
constexpr absl::Duration kSoon = absl::Seconds(10);

// Takes the function's failure into the test's message.
#define EXPECT_OK(call) EXPECT_EQ(call, KVB_OK) << kvb_last_error()
#define ASSERT_OK(call) ASSERT_EQ(call, KVB_OK) << kvb_last_error()

class WithBrokerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    broker_ = BrokerProcess::Start({"--host-memory", "128MiB"});
    const kvb_session_config config = {.size = sizeof(config),
                                       .tenant = "a",
                                       .engine = "with_broker_test",
                                       .runtime_dir = broker_->runtime_dir().c_str()};
    ASSERT_OK(kvb_session_open(&config, &session_));
  }

  // Two planes of 2 and 4 MiB, which grow by wants alone.
  kvb_arena* CreateArena() {
    const uint64_t extents[] = {2 * kMiB, 4 * kMiB};
    const kvb_arena_config config = {.size = sizeof(config), .planes = 2, .extent_bytes = extents, .slots = 10};
    kvb_arena* arena = nullptr;
    EXPECT_OK(kvb_arena_create(session_, &config, &arena));
    return arena;
  }

  void Grow(kvb_arena* arena, uint64_t slots) {
    ASSERT_OK(kvb_arena_want(arena, slots, 0, KVB_URGENCY_HIGH));
    ASSERT_OK(kvb_arena_wait(arena, slots, kSoonNs));
  }

  struct kvb_arena_stats Stats(kvb_arena* arena) {
    struct kvb_arena_stats stats = {.size = sizeof(stats)};
    EXPECT_OK(kvb_arena_stats(arena, &stats));
    return stats;
  }

  // Waits for an event of this kind and passes over others.
  bool Comes(uint32_t kind, kvb_event& event) {
    pollfd readable = {.fd = kvb_event_fd(session_), .events = POLLIN};
    while (poll(&readable, 1, 10'000) == 1) {
      event.size = sizeof(event);
      EXPECT_OK(kvb_next_event(session_, &event));
      if (event.kind == kind) return true;
    }
    return false;
  }

  std::unique_ptr<BrokerProcess> broker_;
  kvb_session* session_ = nullptr;
};

TEST_F(WithBrokerTest, ATensorIsAPlanesMemoryAndKeepsTheArena) {
  kvb_arena* arena = CreateArena();
  Grow(arena, 1);
  uint64_t slot = 0;
  ASSERT_OK(kvb_arena_take(arena, &slot));
  DLManagedTensor* tensor = nullptr;
  EXPECT_EQ(kvb_arena_dlpack(arena, 2, &tensor), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(tensor, nullptr);
  ASSERT_OK(kvb_arena_dlpack(arena, 1, &tensor));
  DLManagedTensor* another = nullptr;
  ASSERT_OK(kvb_arena_dlpack(arena, 1, &another));

  const DLTensor& plane = tensor->dl_tensor;
  EXPECT_EQ(plane.data, kvb_arena_base(arena, 1));
  EXPECT_EQ(plane.device.device_type, kvbroker::kDlCpu);
  EXPECT_EQ(plane.device.device_id, 0);
  EXPECT_EQ(plane.ndim, 1);
  EXPECT_EQ(plane.shape[0], static_cast<int64_t>(10 * 4 * kMiB));
  EXPECT_EQ(plane.strides[0], 1);
  EXPECT_EQ(plane.byte_offset, 0u);
  EXPECT_TRUE(plane.dtype.code == 1 && plane.dtype.bits == 8 && plane.dtype.lanes == 1) << "uint8";
  static_cast<char*>(plane.data)[slot * 4 * kMiB + 7] = 'x';
  EXPECT_EQ(static_cast<char*>(another->dl_tensor.data)[slot * 4 * kMiB + 7], 'x');

  EXPECT_EQ(kvb_arena_destroy(arena), KVB_FAILED_PRECONDITION);
  EXPECT_STREQ(kvb_last_error(), "tensors of the arena that are not deleted yet: 2");
  another->deleter(another);
  tensor->deleter(tensor);
  EXPECT_OK(kvb_arena_destroy(arena));
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, ASessionKnowsItsBroker) {
  struct kvb_session_info info = {.size = sizeof(info)};
  ASSERT_OK(kvb_session_info(session_, &info));
  EXPECT_EQ(info.connected, 1u);
  EXPECT_NE(info.session_id, 0u);
  EXPECT_EQ(info.epoch, 1u);
  EXPECT_EQ(info.granularity, 2 * kMiB);
  EXPECT_EQ(info.capacity, 128 * kMiB);
  EXPECT_EQ(info.limit, KVB_NO_BOUND);
  EXPECT_STREQ(info.device_uuid, "HOST-host");
  EXPECT_STREQ(info.device_kind, "host");
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, AnArenaGrowsHoldsDataAndGivesEverythingBack) {
  kvb_arena* arena = CreateArena();
  Grow(arena, 5);
  uint64_t slots[8];
  uint64_t taken = 0;
  ASSERT_OK(kvb_arena_take_many(arena, slots, 8, &taken));
  ASSERT_EQ(taken, 5u);
  for (uint32_t plane = 0; plane < 2; ++plane) {
    const uint64_t pitch = kvb_arena_extent_bytes(arena, plane);
    EXPECT_EQ(pitch, (plane + 1) * 2 * kMiB);
    auto* base = static_cast<char*>(kvb_arena_base(arena, plane));
    for (uint64_t i = 0; i < taken; ++i) std::memset(base + slots[i] * pitch, static_cast<int>(slots[i]), pitch);
    EXPECT_EQ(base[4 * pitch], 4);
  }
  EXPECT_EQ(Stats(arena).taken, 5u);
  EXPECT_EQ(Stats(arena).map_calls, 10u);
  EXPECT_EQ(Stats(arena).planes, 2u);

  ASSERT_OK(kvb_arena_want(arena, 0, 0, KVB_URGENCY_NORMAL));
  ASSERT_OK(kvb_arena_return(arena, slots[0]));
  ASSERT_OK(kvb_arena_retire(arena, slots + 1, 4));
  EXPECT_TRUE(Eventually(kSoon, [&] { return Stats(arena).mapped == 0; })) << Stats(arena).mapped;
  EXPECT_OK(kvb_arena_destroy(arena));
  EXPECT_OK(kvb_session_close(session_));
  EXPECT_TRUE(broker_->BecomesIdle(kSoon));
}

TEST_F(WithBrokerTest, NothingReadyIsNotEnoughNow) {
  kvb_arena* arena = CreateArena();
  uint64_t slot = 77;
  uint64_t taken = 77;
  EXPECT_EQ(kvb_arena_take(arena, &slot), KVB_RESOURCE_EXHAUSTED);
  EXPECT_EQ(slot, 77u);
  EXPECT_OK(kvb_arena_take_many(arena, &slot, 1, &taken));
  EXPECT_EQ(taken, 0u);
  EXPECT_EQ(kvb_arena_wait(arena, 1, 0), KVB_DEADLINE_EXCEEDED);
  EXPECT_OK(kvb_arena_destroy(arena));
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, EventsNameTheArenaThatGrew) {
  kvb_arena* still = CreateArena();
  kvb_arena* growing = CreateArena();
  EXPECT_NE(kvb_arena_id(still), kvb_arena_id(growing));
  Grow(growing, 1);
  kvb_event event;
  ASSERT_TRUE(Comes(KVB_EVENT_READY, event));
  EXPECT_EQ(event.arena, kvb_arena_id(growing));
  EXPECT_EQ(event.bytes, KVB_NO_BOUND);
  EXPECT_OK(kvb_arena_destroy(still));
  EXPECT_OK(kvb_arena_destroy(growing));
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, AnArenaThatCannotBeIsRefused) {
  uint64_t extents[] = {kMiB};
  const kvb_arena_config good = {.size = sizeof(good), .planes = 1, .extent_bytes = extents, .slots = 1};
  const auto refused = [&](const kvb_arena_config& config) {
    auto* arena = reinterpret_cast<kvb_arena*>(1);
    return kvb_arena_create(session_, &config, &arena) == KVB_INVALID_ARGUMENT && arena == nullptr;
  };
  EXPECT_TRUE(refused(good)) << "1 MiB is no multiple of the granularity";
  extents[0] = 2 * kMiB;
  kvb_arena_config config = good;
  config.extent_bytes = nullptr;
  EXPECT_TRUE(refused(config));
  config = good;
  config.planes = 0;
  EXPECT_TRUE(refused(config));
  config.planes = UINT32_MAX;
  EXPECT_TRUE(refused(config)) << "before so many numbers are read";
  config = good;
  config.reserved = 1;
  EXPECT_TRUE(refused(config));
  config = good;
  config.slots = UINT64_MAX;
  EXPECT_TRUE(refused(config));
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, ArgumentsThatCannotBeAreRefused) {
  kvb_arena* arena = CreateArena();
  EXPECT_EQ(kvb_arena_base(arena, 2), nullptr);
  EXPECT_EQ(kvb_arena_extent_bytes(arena, 2), 0u);
  EXPECT_EQ(kvb_arena_want(arena, 11, 0, KVB_URGENCY_NORMAL), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_want(arena, 1, 0, 3), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_wait(arena, 11, KVB_FOREVER), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_take(arena, nullptr), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_take_many(arena, nullptr, 1, nullptr), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_retire(arena, nullptr, 1), KVB_INVALID_ARGUMENT);
  EXPECT_OK(kvb_arena_retire(arena, nullptr, 0));
  EXPECT_EQ(kvb_arena_take(reinterpret_cast<kvb_arena*>(session_), nullptr), KVB_INVALID_ARGUMENT)
      << "a handle of the other kind";
  kvb_event event = {.size = 8};
  EXPECT_EQ(kvb_next_event(session_, &event), KVB_INVALID_ARGUMENT);
  EXPECT_OK(kvb_arena_destroy(arena));
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, SlotsThatAreNotTakenCannotBeGivenBack) {
  kvb_arena* arena = CreateArena();
  Grow(arena, 1);
  uint64_t slot;
  ASSERT_OK(kvb_arena_take(arena, &slot));
  const uint64_t slots[] = {slot, 9};
  EXPECT_EQ(kvb_arena_retire(arena, slots, 2), KVB_FAILED_PRECONDITION);
  EXPECT_EQ(Stats(arena).taken, 1u) << "nothing changed";
  EXPECT_EQ(kvb_arena_return(arena, 9), KVB_FAILED_PRECONDITION);
  EXPECT_EQ(kvb_arena_return(arena, UINT64_MAX), KVB_FAILED_PRECONDITION);
  EXPECT_OK(kvb_arena_destroy(arena)) << "whatever is taken";
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, ASessionIsNotClosedUnderItsArenas) {
  kvb_arena* arena = CreateArena();
  EXPECT_EQ(kvb_session_close(session_), KVB_FAILED_PRECONDITION);
  Grow(arena, 1);
  EXPECT_OK(kvb_arena_destroy(arena));
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, WithoutTheBrokerWhatIsHeldStaysAndGrowthFailsFast) {
  kvb_arena* arena = CreateArena();
  Grow(arena, 1);
  uint64_t slot;
  ASSERT_OK(kvb_arena_take(arena, &slot));
  broker_->Kill(SIGKILL);
  broker_->Wait();
  kvb_event event;
  ASSERT_TRUE(Comes(KVB_EVENT_BROKER_AWAY, event));
  *static_cast<char*>(kvb_arena_base(arena, 0)) = 1;
  EXPECT_EQ(kvb_arena_wait(arena, 1, KVB_FOREVER), KVB_UNAVAILABLE);
  struct kvb_session_info info = {.size = sizeof(info)};
  EXPECT_OK(kvb_session_info(session_, &info));
  EXPECT_EQ(info.connected, 0u);

  broker_->Restart();
  EXPECT_TRUE(Comes(KVB_EVENT_BROKER_BACK, event));
  EXPECT_OK(kvb_arena_destroy(arena));
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, InAForkedChildEverythingIsRefused) {
  kvb_arena* arena = CreateArena();
  Grow(arena, 2);
  const pid_t child = fork();
  if (child == 0) {
    uint64_t slot;
    struct kvb_session_info info = {.size = sizeof(info)};
    const bool refused = kvb_arena_take(arena, &slot) == KVB_FAILED_PRECONDITION &&
                         kvb_session_info(session_, &info) == KVB_FAILED_PRECONDITION && kvb_event_fd(session_) == -1 &&
                         kvb_arena_base(arena, 0) == nullptr;
    const bool freed = kvb_arena_destroy(arena) == KVB_OK && kvb_session_close(session_) == KVB_OK;
    _exit(refused && freed ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  uint64_t slot;
  EXPECT_OK(kvb_arena_take(arena, &slot)) << "the parent goes on";
  EXPECT_OK(kvb_arena_destroy(arena));
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, HoldingsAndModesAreTakenWithoutAWord) {
  kvb_arena* arena = CreateArena();
  Grow(arena, 2);
  uint64_t slot;
  ASSERT_OK(kvb_arena_take(arena, &slot));
  const kvb_holding holding = {.size = sizeof(holding), .free = kMiB, .pinned = kMiB};
  EXPECT_OK(kvb_arena_report(arena, &holding));
  EXPECT_OK(kvb_set_mode(session_, KVB_MODE_IDLE));
  ASSERT_OK(kvb_arena_want(arena, 4, 0, KVB_URGENCY_LOW));  // after them, on the same stream
  ASSERT_OK(kvb_arena_wait(arena, 3, kSoonNs));
  kvb_event event = {.size = sizeof(event)};
  do {
    ASSERT_OK(kvb_next_event(session_, &event));
    EXPECT_NE(event.kind, KVB_EVENT_REFUSED) << event.text;
  } while (event.kind != KVB_EVENT_NONE);
  EXPECT_OK(kvb_arena_destroy(arena));
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, RoomIsReadyAndSettled) {
  ASSERT_OK(kvb_room_reserve(session_, 64 * kMiB, kSoonNs));
  EXPECT_OK(kvb_room_settle(session_, 32 * kMiB));
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, RoomBeyondTheDeviceIsRefusedAndNotWaitedFor) {
  const kvb_status refused = kvb_room_reserve(session_, 1024 * kMiB, kSoonNs);
  EXPECT_NE(refused, KVB_OK);
  EXPECT_NE(refused, KVB_DEADLINE_EXCEEDED) << kvb_last_error();
  EXPECT_EQ(kvb_room_settle(session_, 0), KVB_FAILED_PRECONDITION) << "there is none";
  EXPECT_OK(kvb_session_close(session_));
}

TEST_F(WithBrokerTest, WhatCanNeverBeHadIsNotWaitedFor) {
  kvb_arena* arena = nullptr;
  const uint64_t extent = 2 * kMiB;
  const kvb_arena_config config = {.size = sizeof(config), .planes = 1, .extent_bytes = &extent, .slots = 1000};
  ASSERT_OK(kvb_arena_create(session_, &config, &arena));
  ASSERT_OK(kvb_arena_want(arena, 1000, 1000, KVB_URGENCY_HIGH));
  EXPECT_EQ(kvb_arena_wait(arena, 1000, kSoonNs), KVB_FAILED_PRECONDITION) << kvb_last_error();
  EXPECT_OK(kvb_arena_destroy(arena));
  EXPECT_OK(kvb_session_close(session_));
}

}  // namespace
