#include "client/capi/kvbroker.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>

// What the C API does without a broker: everything before and around the call of the C++ library. With one:
// with_broker_test.cc.
namespace {

TEST(KvbrokerTest, TheLibraryIsOfThisHeader) {
  EXPECT_EQ(kvb_abi(), KVB_ABI);
  EXPECT_STREQ(kvb_version(), "0.1.0");
}

TEST(KvbrokerTest, EveryStatusHasAText) {
  for (const kvb_status status :
       {KVB_OK, KVB_INVALID_ARGUMENT, KVB_DEADLINE_EXCEEDED, KVB_NOT_FOUND, KVB_PERMISSION_DENIED,
        KVB_RESOURCE_EXHAUSTED, KVB_FAILED_PRECONDITION, KVB_UNIMPLEMENTED, KVB_INTERNAL, KVB_UNAVAILABLE,
        KVB_DATA_LOSS, KVB_UNAUTHENTICATED}) {
    EXPECT_STRNE(kvb_strerror(status), "unknown status") << status;
  }
  EXPECT_STREQ(kvb_strerror(static_cast<kvb_status>(6)), "unknown status");
}

TEST(KvbrokerTest, ASessionWithoutABrokerIsNotFoundAndSaysHowToStartOne) {
  const kvb_session_config config = {.size = sizeof(config), .tenant = "a", .runtime_dir = "/nonexistent"};
  auto* session = reinterpret_cast<kvb_session*>(1);
  EXPECT_EQ(kvb_session_open(&config, &session), KVB_NOT_FOUND);
  EXPECT_EQ(session, nullptr);
  EXPECT_NE(std::string(kvb_last_error()).find("kvbrokerd"), std::string::npos) << kvb_last_error();
}

// What the test changes in a config that is right.
void ExpectRefused(const kvb_session_config& config, const char* names) {
  kvb_session* session;
  EXPECT_EQ(kvb_session_open(&config, &session), KVB_INVALID_ARGUMENT);
  EXPECT_NE(std::string(kvb_last_error()).find(names), std::string::npos) << kvb_last_error();
}

TEST(KvbrokerTest, ASessionConfigThatCannotBeIsRefusedByName) {
  const kvb_session_config good = {.size = sizeof(good), .tenant = "a", .runtime_dir = "/nonexistent"};
  kvb_session_config config = good;
  config.size = 0;
  ExpectRefused(config, "config.size");
  config = good;
  config.flags = 1;
  ExpectRefused(config, "config.flags");
  config = good;
  config.tenant = nullptr;
  ExpectRefused(config, "config.tenant");
  config.tenant = "";
  ExpectRefused(config, "config.tenant");
}

TEST(KvbrokerTest, AConfigOfANewerHeaderIsReadWhereItsTailIsZero) {
  struct {
    kvb_session_config config;
    uint64_t newer;
  } config = {.config = {.size = sizeof(config), .tenant = "a", .runtime_dir = "/nonexistent"}, .newer = 0};
  kvb_session* session;
  EXPECT_EQ(kvb_session_open(&config.config, &session), KVB_NOT_FOUND);
  config.newer = 1;
  EXPECT_EQ(kvb_session_open(&config.config, &session), KVB_INVALID_ARGUMENT);
}

TEST(KvbrokerTest, NullIsRefusedEverywhere) {
  const kvb_session_config config = {.size = sizeof(config), .tenant = "a", .runtime_dir = "/nonexistent"};
  const kvb_arena_config arena_config = {.size = sizeof(arena_config)};
  const kvb_holding holding = {.size = sizeof(holding)};
  struct kvb_session_info info = {.size = sizeof(info)};
  struct kvb_arena_stats stats = {.size = sizeof(stats)};
  kvb_event event = {.size = sizeof(event)};
  kvb_session* session;
  kvb_arena* arena;
  uint64_t slot;
  uint64_t taken;
  EXPECT_EQ(kvb_session_open(nullptr, &session), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_session_open(&config, nullptr), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_session_close(nullptr), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_session_info(nullptr, &info), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_event_fd(nullptr), -1);
  EXPECT_EQ(kvb_next_event(nullptr, &event), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_create(nullptr, &arena_config, &arena), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_destroy(nullptr), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_id(nullptr), 0u);
  EXPECT_EQ(kvb_arena_base(nullptr, 0), nullptr);
  EXPECT_EQ(kvb_arena_extent_bytes(nullptr, 0), 0u);
  EXPECT_EQ(kvb_arena_want(nullptr, 1, 0, KVB_URGENCY_NORMAL), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_wait(nullptr, 1, KVB_FOREVER), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_take(nullptr, &slot), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_take_many(nullptr, &slot, 1, &taken), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_return(nullptr, 0), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_retire(nullptr, &slot, 1), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_stats(nullptr, &stats), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_report(nullptr, &holding), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_room_reserve(nullptr, 1, 0), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_room_settle(nullptr, 1), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_set_mode(nullptr, KVB_MODE_IDLE), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_external_report(nullptr, 0, 0), KVB_INVALID_ARGUMENT);
}

TEST(KvbrokerTest, WhatIsNoHandleIsRefused) {
  char memory[512] = "not a session";
  auto* session = reinterpret_cast<kvb_session*>(memory);
  auto* arena = reinterpret_cast<kvb_arena*>(memory);
  EXPECT_EQ(kvb_session_close(session), KVB_INVALID_ARGUMENT);
  EXPECT_EQ(kvb_arena_destroy(arena), KVB_INVALID_ARGUMENT);
}

TEST(KvbrokerTest, AnErrorIsOfItsThreadAndStaysUntilTheNext) {
  EXPECT_EQ(kvb_session_close(nullptr), KVB_INVALID_ARGUMENT);
  EXPECT_STREQ(kvb_last_error(), "session is NULL");
  std::thread([] { EXPECT_STREQ(kvb_last_error(), ""); }).join();
  kvb_abi();
  EXPECT_STREQ(kvb_last_error(), "session is NULL");
  EXPECT_EQ(kvb_arena_destroy(nullptr), KVB_INVALID_ARGUMENT);
  EXPECT_STREQ(kvb_last_error(), "arena is NULL");
}

TEST(KvbrokerTest, ALongErrorIsCut) {
  const std::string dir(2000, 'x');
  const kvb_session_config config = {.size = sizeof(config), .tenant = "a", .runtime_dir = dir.c_str()};
  kvb_session* session;
  EXPECT_EQ(kvb_session_open(&config, &session), KVB_NOT_FOUND);
  EXPECT_EQ(std::strlen(kvb_last_error()), 511u);
}

}  // namespace
