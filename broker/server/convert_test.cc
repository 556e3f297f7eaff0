#include "broker/server/convert.h"

#include <cstdint>
#include <limits>
#include <string>
#include <variant>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

constexpr SessionId kSession(7);
constexpr uint64_t kEpoch = 3;
constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

v1::ClientFrame HelloFrame() {
  v1::ClientFrame frame;
  frame.mutable_hello()->set_min_version(1);
  frame.mutable_hello()->set_max_version(1);
  frame.mutable_hello()->set_tenant("a");
  return frame;
}

absl::Status HelloStatus(const v1::ClientFrame& frame) { return ToHello(ConnectionId(1), {}, kEpoch, frame).status(); }

TEST(ConvertTest, AnEmptyMessageIsUnsupportedAndNotAFault) {
  EXPECT_TRUE(std::holds_alternative<event::Unsupported>(ToEvent(kSession, v1::ClientMessage())));
}

TEST(ConvertTest, EachMessageThatIsNotServedSaysSo) {
  v1::ClientMessage message;
  message.mutable_reserve();
  EXPECT_TRUE(std::holds_alternative<event::Unsupported>(ToEvent(kSession, message)));
  message.mutable_set_mode();
  EXPECT_TRUE(std::holds_alternative<event::Remark>(ToEvent(kSession, message)));
}

TEST(ConvertTest, AHoldingHasItsClassesAndNoMoreAgesThanThereAre) {
  v1::ClientMessage message;
  v1::Holding& holding = *message.mutable_holding();
  holding.set_spare(1);
  holding.set_free(2);
  for (uint64_t age = 0; age < 20; ++age) holding.add_cached_by_age(100 + age);
  holding.set_pinned(kMax);
  holding.set_response_ms(50);
  const Event event = ToEvent(kSession, message);
  const Holding& got = std::get<event::HoldingReport>(event).holding;
  EXPECT_EQ(got.spare, Bytes(1));
  EXPECT_EQ(got.free, Bytes(2));
  EXPECT_EQ(got.cached_by_age[7], Bytes(107));
  EXPECT_EQ(got.pinned, Bytes(kMax));
  EXPECT_EQ(got.response, absl::Milliseconds(50));
}

TEST(ConvertTest, RoomIsAskedForAndSettledByItsNumber) {
  v1::ClientMessage message;
  message.mutable_reserve_external()->set_request_id(3);
  message.mutable_reserve_external()->set_bytes(kMax);
  message.mutable_reserve_external()->set_ttl_ms(70);
  const Event asked = ToEvent(kSession, message);
  EXPECT_EQ(std::get<event::ReserveExternal>(asked).request, 3u);
  EXPECT_EQ(std::get<event::ReserveExternal>(asked).bytes, Bytes(kMax));
  EXPECT_EQ(std::get<event::ReserveExternal>(asked).ttl, absl::Milliseconds(70));
  EXPECT_EQ(ToMessage(effect::TellRoomReady{.session = kSession, .request = 3}).room_ready().request_id(), 3u);
  const auto error =
      ToMessage(effect::TellError{.session = kSession, .status = absl::NotFoundError("x"), .request = 3});
  EXPECT_EQ(error.error().request_id(), 3u);
}

TEST(ConvertTest, ATargetSaysByWhenAndHowOldACacheMayBe) {
  const auto message = ToMessage(effect::TellTarget{.session = kSession,
                                                    .revision = 2,
                                                    .max = MiB(8),
                                                    .within = absl::Milliseconds(250),
                                                    .urgent = true,
                                                    .eviction_age = absl::Seconds(16)});
  EXPECT_EQ(message.target().within_ms(), 250u);
  EXPECT_EQ(message.target().urgency(), v1::URGENCY_HIGH);
  EXPECT_EQ(message.target().eviction_age_ms(), 16'000u);
  EXPECT_EQ(ToMessage(effect::TellTarget{.session = kSession}).target().eviction_age_ms(), 0u);
}

TEST(ConvertTest, AChangedPolicySaysWhatThereIsAndWhatThereIsNot) {
  const auto message = ToMessage(
      effect::TellPolicy{.session = kSession, .limit = MiB(8), .reserved = MiB(1), .guarantee = MiB(2), .revision = 7});
  EXPECT_EQ(message.policy_changed().limit(), MiB(8).in_bytes());
  EXPECT_EQ(message.policy_changed().reserved(), MiB(1).in_bytes());
  EXPECT_EQ(message.policy_changed().guarantee(), MiB(2).in_bytes());
  EXPECT_EQ(message.policy_changed().revision(), 7u);
  EXPECT_EQ(ToMessage(effect::TellPolicy{.session = kSession}).policy_changed().limit(), UINT64_MAX);
}

TEST(ConvertTest, WhatIsHeldOutsideOfArenasAndATrimAreWhatTheySay) {
  v1::ClientMessage message;
  message.mutable_external()->set_revision(3);
  message.mutable_external()->set_bytes(kMax);
  message.mutable_external()->set_trimmable(5);
  const Event event = ToEvent(kSession, message);
  const auto& external = std::get<event::External>(event);
  EXPECT_EQ(external.session, kSession);
  EXPECT_EQ(external.revision, 3u);
  EXPECT_EQ(external.bytes, Bytes(kMax));
  EXPECT_EQ(external.trimmable, Bytes(5));
  const auto trim = ToMessage(effect::TellTrim{.session = kSession, .revision = 4, .bytes = MiB(64)});
  EXPECT_EQ(trim.trim().revision(), 4u);
  EXPECT_EQ(trim.trim().bytes(), MiB(64).in_bytes());
}

TEST(ConvertTest, OperatorsSeeWhatIsHeldOutsideAndWhatOfItIsTrimmable) {
  admin::v1::Tenant tenant;
  FillTenant({.external = GiB(20), .trimmable = GiB(14)}, tenant);
  EXPECT_EQ(tenant.external(), GiB(20).in_bytes());
  EXPECT_EQ(tenant.trimmable(), GiB(14).in_bytes());
  admin::v1::Session session;
  FillSession({.external = GiB(2), .trimmable = GiB(1)}, session);
  EXPECT_EQ(session.external(), GiB(2).in_bytes());
  EXPECT_EQ(session.trimmable(), GiB(1).in_bytes());
}

TEST(ConvertTest, LatenciesHaveABoundForAllBucketsButTheLast) {
  BrokerReport::Tenant row;
  row.grants.Add(absl::Milliseconds(3));
  row.reclaims.Add(absl::Minutes(2));
  admin::v1::Tenant tenant;
  FillTenant(row, tenant);
  EXPECT_EQ(tenant.grants().upper_bound_s(2), 0.005);
  EXPECT_EQ(tenant.grants().count(2), 1u);
  EXPECT_EQ(tenant.grants().sum_s(), 0.003);
  EXPECT_EQ(tenant.reclaims().count_size(), tenant.reclaims().upper_bound_s_size() + 1);
  EXPECT_EQ(tenant.reclaims().count(tenant.reclaims().count_size() - 1), 1u);
}

// ---------------------------------------------------------------- policies

class ToPolicyTest : public ::testing::Test {
 protected:
  absl::StatusOr<TenantPolicy> Policy() const { return ToPolicy(request_, current_, initial_, GiB(40)); }

  admin::v1::SetTenantRequest request_;
  const TenantPolicy current_ = {.reserved = GiB(1), .guarantee = GiB(2), .limit = GiB(3), .weight = 7};
  const TenantPolicy initial_ = {.guarantee = GiB(5), .limit = GiB(6)};
};

TEST_F(ToPolicyTest, WhatIsNotGivenStays) { EXPECT_EQ(*Policy(), current_); }

TEST_F(ToPolicyTest, AmountsAreBytesPartsNothingOrTheFirst) {
  request_.mutable_limit()->set_percent(25);
  request_.mutable_reserved()->set_none(true);
  request_.mutable_guarantee()->set_initial(true);
  EXPECT_EQ(Policy()->limit, GiB(10));
  EXPECT_EQ(Policy()->reserved, Bytes());
  EXPECT_EQ(Policy()->guarantee, GiB(5));
  request_.mutable_limit()->set_none(true);
  EXPECT_EQ(Policy()->limit, std::nullopt);
}

TEST_F(ToPolicyTest, WritesWhatItReads) {
  request_.set_weight(9);
  request_.set_guarantee_deadline_ms(250);
  request_.set_tenant_class(admin::v1::BATCH);
  request_.set_missed_target(admin::v1::END_PROCESS);
  admin::v1::TenantPolicy written;
  FillPolicy(*Policy(), written);
  EXPECT_EQ(written.weight(), 9u);
  EXPECT_EQ(written.guarantee_deadline_ms(), 250u);
  EXPECT_EQ(written.tenant_class(), admin::v1::BATCH);
  EXPECT_EQ(written.missed_target(), admin::v1::END_PROCESS);
  EXPECT_EQ(written.limit(), GiB(3).in_bytes());
}

TEST(ConvertTest, NumbersPassUnchangedHoweverLarge) {
  v1::ClientMessage message;
  message.mutable_want()->set_arena_id(kMax);
  message.mutable_want()->set_revision(kMax);
  message.mutable_want()->set_slots(kMax);
  const Event event = ToEvent(kSession, message);
  const auto& want = std::get<event::Want>(event);
  EXPECT_EQ(want.session, kSession);
  EXPECT_EQ(want.arena, ArenaId(kMax));
  EXPECT_EQ(want.revision, kMax);
  EXPECT_EQ(want.slots, kMax);
}

TEST(ConvertTest, AnArenaHasItsPlanesInOrder) {
  v1::ClientMessage message;
  v1::ArenaSpec& arena = *message.mutable_arena_open()->mutable_arena();
  arena.add_planes()->set_extent_bytes(2);
  arena.add_planes()->set_extent_bytes(1);
  const Event event = ToEvent(kSession, message);
  EXPECT_THAT(std::get<event::ArenaOpen>(event).arena.planes, ::testing::ElementsAre(Bytes(2), Bytes(1)));
}

TEST(ConvertTest, TextsOfAClientAreQuotedAndCut) {
  v1::ClientMessage message;
  message.mutable_poisoned()->set_error(std::string(10'000, 'x') + "\nforged");
  const Event event = ToEvent(kSession, message);
  const std::string& error = std::get<event::Poisoned>(event).error;
  EXPECT_LT(error.size(), 300u);
  EXPECT_EQ(error.find('\n'), std::string::npos);
}

TEST(ConvertTest, AFrameThatDoesNotBelongIsRefusedByName) {
  EXPECT_THAT(std::string(ToEvent(kSession, v1::ClientFrame()).status().message()), HasSubstr("empty frame"));
  EXPECT_THAT(std::string(ToEvent(kSession, HelloFrame()).status().message()), HasSubstr("second Hello"));
}

TEST(ConvertTest, AFetchPassesUnchanged) {
  v1::ClientFrame frame;
  frame.mutable_fetch()->set_lease_id(3);
  frame.mutable_fetch()->set_max_slots(std::numeric_limits<uint32_t>::max());
  frame.mutable_fetch()->set_confirm_batch(5);
  const absl::StatusOr<Event> event = ToEvent(kSession, frame);
  ASSERT_TRUE(event.ok());
  const auto& fetch = std::get<event::Fetch>(*event);
  EXPECT_EQ(fetch.lease, LeaseId(3));
  EXPECT_EQ(fetch.max_slots, std::numeric_limits<uint32_t>::max());
  EXPECT_EQ(fetch.confirm, BatchId(5));
}

TEST(ConvertTest, AConnectionBeginsWithHello) {
  EXPECT_TRUE(HelloStatus(HelloFrame()).ok());
  v1::ClientFrame fetch;
  fetch.mutable_fetch();
  EXPECT_EQ(HelloStatus(fetch).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(HelloStatus(v1::ClientFrame()).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ConvertTest, AVersionThatIsNotServedIsNamed) {
  v1::ClientFrame frame = HelloFrame();
  frame.mutable_hello()->set_min_version(2);
  frame.mutable_hello()->set_max_version(9);
  EXPECT_THAT(std::string(HelloStatus(frame).message()), HasSubstr("versions 2 to 9"));
  frame.mutable_hello()->set_min_version(0);
  frame.mutable_hello()->set_max_version(0);
  EXPECT_EQ(HelloStatus(frame).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ConvertTest, TextsOfHelloAreBoundedAndEscaped) {
  v1::ClientFrame frame = HelloFrame();
  frame.mutable_hello()->set_engine(std::string(256, '\n'));
  const auto hello = ToHello(ConnectionId(1), {}, kEpoch, frame);
  ASSERT_TRUE(hello.ok()) << hello.status();
  EXPECT_EQ(hello->engine.find('\n'), std::string::npos);
  frame.mutable_hello()->set_engine(std::string(257, 'x'));
  EXPECT_EQ(HelloStatus(frame).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ConvertTest, AnInventoryThatOverflowsIsRefused) {
  v1::ClientFrame frame;
  *frame.mutable_resume()->mutable_hello() = HelloFrame().hello();
  v1::LeaseInventory& lease = *frame.mutable_resume()->add_inventory();
  lease.set_active_slots(kMax);
  lease.set_retiring_slots(1);
  EXPECT_EQ(HelloStatus(frame).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ConvertTest, ASessionIsResumedByItsNumberInTheSameEpochAlone) {
  v1::ClientFrame frame;
  *frame.mutable_resume()->mutable_hello() = HelloFrame().hello();
  frame.mutable_resume()->set_session_id(5);
  frame.mutable_resume()->set_epoch_seen(kEpoch);
  EXPECT_EQ(ToHello(ConnectionId(1), {}, kEpoch, frame)->resumes, SessionId(5));
  EXPECT_EQ(ToHello(ConnectionId(1), {}, kEpoch + 1, frame)->resumes, SessionId());
}

TEST(ConvertTest, NoBoundIsTheLargestNumber) {
  EXPECT_EQ(ToMessage(effect::TellTarget{.max = std::nullopt}).target().max_bytes(), kMax);
  EXPECT_EQ(ToMessage(effect::TellTarget{.max = Bytes()}).target().max_bytes(), 0u);
}

TEST(ConvertTest, ARejectionSaysWhenToTryAgainWhereThatMayHelp) {
  const auto retry_ms = [](const absl::Status& status) { return ToRejected(status).rejected().retry_ms(); };
  EXPECT_EQ(retry_ms(absl::ResourceExhaustedError("x")), 1000u);
  EXPECT_EQ(retry_ms(absl::DeadlineExceededError("x")), 100u);
  EXPECT_EQ(retry_ms(absl::UnavailableError("x")), 100u);
  EXPECT_EQ(retry_ms(absl::InvalidArgumentError("x")), 0u);
  EXPECT_EQ(retry_ms(absl::NotFoundError("x")), 0u);
}

TEST(ConvertTest, ARejectionHasTheStatusInIt) {
  const v1::BrokerFrame frame = ToRejected(absl::NotFoundError("no tenant x"));
  EXPECT_EQ(frame.rejected().code(), static_cast<int32_t>(absl::StatusCode::kNotFound));
  EXPECT_EQ(frame.rejected().message(), "no tenant x");
}

}  // namespace
}  // namespace kvbroker
