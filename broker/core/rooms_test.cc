#include "broker/core/rooms.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

constexpr SessionId kA(1);
constexpr SessionId kB(2);

class RoomsTest : public ::testing::Test {
 protected:
  std::optional<Room> Update(Bytes free, Bytes others) {
    device_ = {.free = free, .others = others, .others_before = others};
    rooms_.Looked();
    return rooms_.Update(device_, now_);
  }
  void Add(SessionId session, Bytes bytes, absl::Duration ttl = absl::ZeroDuration()) {
    rooms_.Add(session, 1, bytes, ttl, now_);
  }
  RoomState StateOf(SessionId session) const { return rooms_.Find(session)->state; }

  Rooms rooms_;
  Rooms::Device device_;
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
};

TEST_F(RoomsTest, WhatIsFreeIsHeldBackUntilItIsEnough) {
  Add(kA, MiB(20));
  EXPECT_FALSE(Update(MiB(5), MiB(1)).has_value());
  EXPECT_EQ(StateOf(kA), RoomState::kMaking);
  EXPECT_EQ(rooms_.HeldBack(device_), MiB(5));
  EXPECT_EQ(rooms_.Short(device_), MiB(15));

  const auto ready = Update(MiB(25), MiB(1));
  ASSERT_TRUE(ready.has_value());
  EXPECT_EQ(ready->session, kA);
  EXPECT_EQ(rooms_.HeldBack(device_), MiB(20));
  EXPECT_EQ(rooms_.Short(device_), Bytes());
}

TEST_F(RoomsTest, WhatTheProgramTakesIsNotHeldBackAnyMore) {
  Add(kA, MiB(20));
  Update(MiB(25), MiB(3));
  Update(MiB(13), MiB(15));
  EXPECT_EQ(rooms_.Find(kA)->used, MiB(12));
  EXPECT_EQ(rooms_.HeldBack(device_), MiB(8));
  Update(MiB(20), MiB(8));
  EXPECT_EQ(rooms_.HeldBack(device_), MiB(15)) << "it gave some back, and may take it again";
}

TEST_F(RoomsTest, MoreThanTheRoomHoldsNothingBack) {
  Add(kA, MiB(20));
  Update(MiB(25), MiB(0));
  Update(MiB(1), MiB(24));
  EXPECT_EQ(rooms_.HeldBack(device_), Bytes());
}

TEST_F(RoomsTest, OneIsFilledAtATime) {
  Add(kA, MiB(20));
  Add(kB, MiB(10));
  EXPECT_EQ(Update(MiB(40), MiB(0))->session, kA);
  EXPECT_FALSE(Update(MiB(40), MiB(0)).has_value());
  EXPECT_EQ(StateOf(kB), RoomState::kWaiting);
  EXPECT_EQ(Update(MiB(21), MiB(19))->session, kB) << "the first is nearly full";
  Update(MiB(13), MiB(27));
  EXPECT_EQ(rooms_.Find(kA)->used, MiB(19)) << "as it was when the next one's turn came";
  EXPECT_EQ(rooms_.Find(kB)->used, MiB(8));
}

TEST_F(RoomsTest, OneThatIsNeverFilledDoesNotKeepTheNextWaitingForEver) {
  Add(kA, MiB(20));
  Add(kB, MiB(10));
  Update(MiB(40), MiB(0));
  now_ += Rooms::kFillingTakes;
  EXPECT_EQ(Update(MiB(40), MiB(0))->session, kB);
  EXPECT_EQ(rooms_.HeldBack(device_), MiB(30)) << "and it keeps what it was promised";
}

TEST_F(RoomsTest, SettledHoldsNothingBack) {
  Add(kA, MiB(20));
  Update(MiB(25), MiB(0));
  rooms_.Settle(kA, MiB(12));
  EXPECT_EQ(rooms_.HeldBack(device_), Bytes());
  EXPECT_EQ(rooms_.Find(kA)->used, MiB(12));
}

TEST_F(RoomsTest, TheNextOneIsReadyWhenWhatTheLastOneTookHasBeenSeen) {
  Add(kA, MiB(20));
  Add(kB, MiB(10));
  EXPECT_EQ(Update(MiB(40), MiB(0))->session, kA);
  rooms_.Settle(kA, MiB(12));
  EXPECT_TRUE(rooms_.NeedsLook());
  EXPECT_FALSE(Update(MiB(40), MiB(0)).has_value()) << "this look may be older";
  EXPECT_EQ(Update(MiB(28), MiB(12))->session, kB);
  Update(MiB(26), MiB(14));
  EXPECT_EQ(rooms_.Find(kB)->used, MiB(2));
}

TEST_F(RoomsTest, WhatOthersUsedLatelyIsNotTheRooms) {
  Add(kA, MiB(20));
  device_ = {.free = MiB(25), .others = MiB(3), .others_before = MiB(9)};
  ASSERT_TRUE(rooms_.Update(device_, now_).has_value());
  EXPECT_EQ(rooms_.FilledSince(), now_);
  Update(MiB(13), MiB(15));
  EXPECT_EQ(rooms_.Find(kA)->used, MiB(6));
}

TEST_F(RoomsTest, TheTimeToLiveRunsFromReady) {
  Add(kA, MiB(20), absl::Seconds(5));
  now_ += absl::Seconds(10);
  EXPECT_TRUE(Update(MiB(25), MiB(0)).has_value());
  now_ += absl::Seconds(4);
  Update(MiB(25), MiB(0));
  EXPECT_EQ(StateOf(kA), RoomState::kReady);
  rooms_.Extend(absl::Seconds(100));
  now_ += absl::Seconds(100);
  Update(MiB(25), MiB(0));
  EXPECT_EQ(StateOf(kA), RoomState::kReady) << "the machine slept";
  now_ += absl::Seconds(1);
  Update(MiB(25), MiB(0));
  EXPECT_EQ(StateOf(kA), RoomState::kSettled);
}

TEST_F(RoomsTest, ASessionThatAsksAnewOrGoesGivesUpWhatItHad) {
  Add(kA, MiB(20));
  Add(kA, MiB(10));
  EXPECT_EQ(rooms_.all().size(), 1u);
  rooms_.Remove(kA);
  EXPECT_EQ(rooms_.Find(kA), nullptr);
  EXPECT_FALSE(Update(MiB(5), MiB(0)).has_value());
}

}  // namespace
}  // namespace kvbroker
