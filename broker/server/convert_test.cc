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
constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

v1::ClientFrame HelloFrame() {
  v1::ClientFrame frame;
  frame.mutable_hello()->set_min_version(1);
  frame.mutable_hello()->set_max_version(1);
  frame.mutable_hello()->set_tenant("a");
  return frame;
}

absl::Status HelloStatus(const v1::ClientFrame& frame) { return ToHello(ConnectionId(1), {}, frame).status(); }

TEST(ConvertTest, AnEmptyMessageIsUnsupportedAndNotAFault) {
  EXPECT_TRUE(std::holds_alternative<event::Unsupported>(ToEvent(kSession, v1::ClientMessage())));
}

TEST(ConvertTest, EachMessageThatIsNotServedSaysSo) {
  v1::ClientMessage message;
  message.mutable_reserve_external();
  EXPECT_TRUE(std::holds_alternative<event::Unsupported>(ToEvent(kSession, message)));
  message.mutable_reserve();
  EXPECT_TRUE(std::holds_alternative<event::Unsupported>(ToEvent(kSession, message)));
  message.mutable_holding();
  EXPECT_TRUE(std::holds_alternative<event::Remark>(ToEvent(kSession, message)));
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
  const auto hello = ToHello(ConnectionId(1), {}, frame);
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
