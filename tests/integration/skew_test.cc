// A client of an earlier time, as it was recorded, is served by today's broker as it was then. (The other way round, today's
// client and a broker that knows less, is session_test's.)

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/channel/broker_connection.h"
#include "common/base/bytes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/engine.pb.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

using ::testing::SizeIs;

constexpr uint64_t kSlot = MiB(6).in_bytes();  // two planes, of 2 and 4 MiB
constexpr absl::Duration kSoon = absl::Seconds(10);

// What it sent, in order.
class Recording {
 public:
  explicit Recording(const std::string& path) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      const std::vector<std::string> parts = absl::StrSplit(line, ' ');
      if (parts[0] == "frame") frames_.push_back(Parse<v1::ClientFrame>(parts[1]));
      if (parts[0] == "message") messages_.push_back(Parse<v1::ClientMessage>(parts[1]));
    }
  }
  const v1::ClientFrame& NextFrame() { return frames_.at(frame_++); }
  const v1::ClientMessage& NextMessage() { return messages_.at(message_++); }
  bool AtEnd() const { return frame_ == frames_.size() && message_ == messages_.size(); }

 private:
  template <typename Message>
  static Message Parse(const std::string& hexadecimal) {
    Message message;
    EXPECT_TRUE(message.ParseFromString(absl::HexStringToBytes(hexadecimal)));
    return message;
  }

  std::vector<v1::ClientFrame> frames_;
  std::vector<v1::ClientMessage> messages_;
  size_t frame_ = 0, message_ = 0;
};

class SkewTest : public ::testing::Test {
 protected:
  // Reads on, over what a client of that time does not know.
  template <typename Is>
  v1::BrokerMessage ReadUntil(Is is) {
    for (;;) {
      v1::BrokerMessage message;
      if (!connection_->Read(message)) {
        ADD_FAILURE() << "the stream has ended\n" << broker_->log();
        return message;
      }
      if (is(message)) return message;
    }
  }
  Batch ReceiveBatch() {
    Batch batch;
    EXPECT_TRUE(Eventually(kSoon, [&] {
      auto received = connection_->Receive();
      EXPECT_TRUE(received.ok()) << received.status() << "\n" << broker_->log();
      if (!received.ok() || !received->has_value()) return !received.ok();
      batch = **std::move(received);
      return true;
    }));
    return batch;
  }
  uint64_t Granted() { return broker_->Status()->memory().granted(); }

  std::unique_ptr<BrokerProcess> broker_ = BrokerProcess::Start({"--host-memory", "64MiB"});
  std::unique_ptr<BrokerConnection> connection_;
};

TEST_F(SkewTest, TheFirstClientIsServedAsItWas) {
  Recording client(DataPath("tests/integration/testdata/first_client.txt"));
  connection_ = *BrokerConnection::Open(broker_->engine_socket(), client.NextFrame());
  EXPECT_EQ(connection_->welcome().granularity(), MiB(2).in_bytes());
  ASSERT_THAT(*broker_->Sessions(), SizeIs(1));
  EXPECT_EQ(broker_->Sessions()->front().tenant(), "chat");

  ASSERT_TRUE(connection_->Send(client.NextMessage()));
  const v1::BrokerMessage opened = ReadUntil([](const auto& message) { return message.has_arena_opened(); });
  ASSERT_EQ(opened.arena_opened().lease_id(), 1u) << "what was recorded names it";
  ASSERT_TRUE(connection_->Send(client.NextMessage()));
  ReadUntil([](const auto& message) { return message.has_grant() && message.grant().cumulative_slots() == 5; });

  // It fetched twice: how many slots are made by then is a matter of time.
  ASSERT_TRUE(connection_->Send(client.NextFrame()).ok());
  Batch batch = ReceiveBatch();
  uint64_t slots = batch.handles.slots();
  EXPECT_EQ(batch.fds.size(), 2 * slots);
  ASSERT_TRUE(connection_->Send(client.NextFrame()).ok());
  batch = ReceiveBatch();
  while (slots + batch.handles.slots() < 5 && batch.handles.slots() > 0) {
    slots += batch.handles.slots();
    v1::ClientFrame more;
    more.mutable_fetch()->set_lease_id(1);
    more.mutable_fetch()->set_max_slots(static_cast<uint32_t>(5 - slots));
    more.mutable_fetch()->set_confirm_batch(batch.handles.batch());
    ASSERT_TRUE(connection_->Send(more).ok());
    batch = ReceiveBatch();
  }
  v1::ClientFrame confirm = client.NextFrame();
  if (batch.handles.slots() > 0) {
    confirm.mutable_confirm()->set_batch(batch.handles.batch());
    ASSERT_TRUE(connection_->Send(confirm).ok());
  }
  batch.fds.clear();
  EXPECT_EQ(slots + batch.handles.slots(), 5u);
  EXPECT_EQ(Granted(), 5 * kSlot);

  ASSERT_TRUE(connection_->Send(client.NextMessage()));  // it wants less
  ASSERT_TRUE(connection_->Send(client.NextMessage()));  // and has given back as many
  EXPECT_TRUE(Eventually(kSoon, [&] { return Granted() == 2 * kSlot; })) << broker_->log();

  ASSERT_TRUE(connection_->Send(client.NextMessage()));  // closes the arena
  ASSERT_TRUE(connection_->Send(client.NextMessage()));  // and leaves
  connection_->HalfClose();
  EXPECT_TRUE(broker_->BecomesIdle(kSoon)) << broker_->log();
  EXPECT_TRUE(client.AtEnd());
  EXPECT_EQ(broker_->Status()->counters().refusals(), 0u) << broker_->log();
}

}  // namespace
}  // namespace kvbroker
