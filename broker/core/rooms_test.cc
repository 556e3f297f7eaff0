#include "broker/core/rooms.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

constexpr SessionId kA(1);
constexpr SessionId kB(2);
constexpr SessionId kC(3);

class RoomsTest : public ::testing::Test {
 protected:
  std::optional<Room> Update(Bytes free, Bytes others) {
    device_ = {.free = free, .others = others};
    rooms_.Looked();
    return rooms_.Update(device_, now_);
  }
  // So much is used outside; of what is free there is enough.
  void Show(Bytes others) { Update(MiB(1000), others); }
  void Add(SessionId session, Bytes bytes, absl::Duration ttl = absl::ZeroDuration()) {
    rooms_.Add(session, 1, bytes, ttl, now_);
  }
  // Rooms for A and B that became ready while 100 MiB were used outside.
  void MakeReady(Bytes a, Bytes b, absl::Duration ttl_of_b = absl::ZeroDuration()) {
    Add(kA, a);
    Add(kB, b, ttl_of_b);
    Show(MiB(100));
    Show(MiB(100));
    ASSERT_EQ(StateOf(kA), RoomState::kReady);
    ASSERT_EQ(StateOf(kB), RoomState::kReady);
  }
  // Looks that show so much, until nothing that was let go of is unseen.
  void ShowTwice(Bytes others) {
    Show(others);
    Show(others);
    EXPECT_FALSE(rooms_.NeedsLook());
  }
  RoomState StateOf(SessionId session) const { return rooms_.Find(session)->state; }
  Bytes UsedBy(SessionId session) const { return rooms_.Find(session)->used; }
  Bytes HeldBack() const { return rooms_.HeldBack(device_); }

  Rooms rooms_;
  Rooms::Device device_;
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
};

// ---------------------------------------------------------------- one room

TEST_F(RoomsTest, WhatIsFreeIsHeldBackUntilItIsEnough) {
  Add(kA, MiB(20));
  EXPECT_FALSE(Update(MiB(5), MiB(1)).has_value());
  EXPECT_EQ(StateOf(kA), RoomState::kMaking);
  EXPECT_EQ(HeldBack(), MiB(5));
  EXPECT_EQ(rooms_.Short(device_), MiB(15));

  const auto ready = Update(MiB(25), MiB(1));
  ASSERT_TRUE(ready.has_value());
  EXPECT_EQ(ready->session, kA);
  EXPECT_EQ(HeldBack(), MiB(20));
  EXPECT_EQ(rooms_.Short(device_), Bytes());
}

TEST_F(RoomsTest, WhatTheProgramTakesIsNotHeldBackAnyMore) {
  Add(kA, MiB(20));
  Update(MiB(25), MiB(3));
  Update(MiB(13), MiB(15));
  EXPECT_EQ(UsedBy(kA), MiB(12));
  EXPECT_EQ(HeldBack(), MiB(8));
  Update(MiB(20), MiB(8));
  EXPECT_EQ(HeldBack(), MiB(15)) << "it gave some back, and may take it again";
}

TEST_F(RoomsTest, MoreThanTheRoomHoldsNothingBack) {
  Add(kA, MiB(20));
  Update(MiB(25), MiB(0));
  Update(MiB(1), MiB(24));
  EXPECT_EQ(HeldBack(), Bytes());
}

TEST_F(RoomsTest, WhoUsedMoreBeforeAndHasEndedDoesNotMakeItLookEmpty) {
  Add(kA, MiB(20));
  Show(MiB(9));
  ASSERT_EQ(StateOf(kA), RoomState::kReady);
  Show(MiB(3));
  Show(MiB(8));
  EXPECT_EQ(UsedBy(kA), MiB(5));
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
  rooms_.Remove(kA, now_);
  EXPECT_EQ(rooms_.Find(kA), nullptr);
  EXPECT_FALSE(Update(MiB(5), MiB(0)).has_value());
}

// ---------------------------------------------------------------- turns

TEST_F(RoomsTest, WhereThereIsEnoughAllAreReadyAtOnce) {
  Add(kA, MiB(20));
  Add(kB, MiB(10));
  EXPECT_EQ(Update(MiB(40), MiB(0))->session, kA);
  EXPECT_EQ(Update(MiB(40), MiB(0))->session, kB);
  EXPECT_EQ(HeldBack(), MiB(30));
}

TEST_F(RoomsTest, TheyAreMadeInTheOrderOfAsking) {
  Add(kA, MiB(20));
  Add(kB, MiB(10));
  EXPECT_FALSE(Update(MiB(15), MiB(0)).has_value());
  EXPECT_EQ(StateOf(kB), RoomState::kWaiting) << "though there is enough for it";
}

TEST_F(RoomsTest, TheNextOneIsReadyOnTopOfWhatTheReadyOnesLack) {
  Add(kA, MiB(20));
  Add(kB, MiB(10));
  Update(MiB(25), MiB(0));
  EXPECT_FALSE(Update(MiB(25), MiB(0)).has_value());
  EXPECT_EQ(rooms_.Short(device_), MiB(5));
  EXPECT_FALSE(Update(MiB(17), MiB(8)).has_value());
  EXPECT_EQ(rooms_.Short(device_), MiB(5)) << "what the first takes was never the second one's";
  EXPECT_EQ(Update(MiB(22), MiB(8))->session, kB);
  EXPECT_EQ(HeldBack(), MiB(22));
}

TEST_F(RoomsTest, TheNextOneIsReadyWhenWhatTheLastOneTookHasBeenSeen) {
  Add(kA, MiB(20));
  EXPECT_EQ(Update(MiB(40), MiB(0))->session, kA);
  Add(kB, MiB(10));
  rooms_.Settle(kA, MiB(12), now_);
  EXPECT_TRUE(rooms_.NeedsLook());
  EXPECT_FALSE(Update(MiB(40), MiB(0)).has_value()) << "this look may be older";
  EXPECT_EQ(Update(MiB(28), MiB(12))->session, kB);
  Update(MiB(26), MiB(14));
  EXPECT_EQ(UsedBy(kB), MiB(2));
}

// ---------------------------------------------------------------- whose the growth is

TEST_F(RoomsTest, GrowthFillsTheOldestFirstAndCountsOnce) {
  MakeReady(MiB(20), MiB(10));
  Show(MiB(125));
  EXPECT_EQ(UsedBy(kA), MiB(20));
  EXPECT_EQ(UsedBy(kB), MiB(5));
  EXPECT_EQ(HeldBack(), MiB(5));
}

TEST_F(RoomsTest, WhatTheReadyOnesCannotHaveTakenIsNotTheNextOnes) {
  Add(kA, MiB(10));
  Show(MiB(100));
  Show(MiB(114));
  Add(kB, MiB(20));
  Show(MiB(114));
  Show(MiB(119));
  EXPECT_EQ(UsedBy(kA) + UsedBy(kB), MiB(15));
}

TEST_F(RoomsTest, WhoeverElseUsesLessLowersTheBase) {
  MakeReady(MiB(20), MiB(20));
  Show(MiB(70));
  Show(MiB(95));
  EXPECT_EQ(HeldBack(), MiB(15));
}

// ---------------------------------------------------------------- settling

TEST_F(RoomsTest, SettledHoldsBackNothingButWhatNoLookHasShown) {
  Add(kA, MiB(20));
  Show(MiB(0));
  rooms_.Settle(kA, MiB(12), now_);
  EXPECT_EQ(UsedBy(kA), MiB(12));
  EXPECT_EQ(HeldBack(), MiB(12)) << "of what seems free it has so much";
  Show(MiB(12));
  EXPECT_EQ(HeldBack(), Bytes());
}

TEST_F(RoomsTest, AClaimThatNoLookShowsHoldsNothingBackForLong) {
  Add(kA, MiB(20));
  Show(MiB(0));
  rooms_.Settle(kA, MiB(500), now_);
  ShowTwice(MiB(0));
  EXPECT_EQ(HeldBack(), MiB(20)) << "no more than the room";
  rooms_.Extend(absl::Seconds(100));
  now_ += Rooms::kLately;
  Show(MiB(0));
  EXPECT_EQ(HeldBack(), MiB(20)) << "the machine slept";
  now_ += absl::Seconds(100);
  Show(MiB(0));
  EXPECT_EQ(HeldBack(), Bytes());
}

TEST_F(RoomsTest, OneThatSettlesTakesAlongWhatItSays) {
  MakeReady(MiB(20), MiB(20));
  Show(MiB(115));
  EXPECT_EQ(UsedBy(kA), MiB(15));
  rooms_.Settle(kA, MiB(5), now_);
  EXPECT_EQ(HeldBack(), MiB(10));
  ShowTwice(MiB(115));
  EXPECT_EQ(UsedBy(kB), MiB(10));
  EXPECT_EQ(HeldBack(), MiB(10));
}

TEST_F(RoomsTest, OneThatSettlesTakesAlongMoreThanItsRoomWhereItSaysSo) {
  MakeReady(MiB(20), MiB(20));
  Show(MiB(125));
  rooms_.Settle(kA, MiB(23), now_);
  ShowTwice(MiB(125));
  EXPECT_EQ(UsedBy(kB), MiB(2));
}

TEST_F(RoomsTest, OneThatSettlesTakesAlongNoMoreThanWasSeen) {
  MakeReady(MiB(20), MiB(20));
  Show(MiB(106));
  rooms_.Settle(kA, MiB(500), now_);
  ShowTwice(MiB(106));
  now_ += Rooms::kLately;
  Show(MiB(106));
  EXPECT_EQ(UsedBy(kB), Bytes());
  Show(MiB(116));
  EXPECT_EQ(UsedBy(kB), MiB(10));
}

TEST_F(RoomsTest, OneThatSettlesTakesAlongWhatCannotBeTheOthers) {
  MakeReady(MiB(20), MiB(10));
  Show(MiB(125));
  rooms_.Settle(kA, Bytes(), now_);
  ShowTwice(MiB(125));
  EXPECT_EQ(UsedBy(kB), MiB(10));
  Show(MiB(120));
  EXPECT_EQ(UsedBy(kB), MiB(5));
}

TEST_F(RoomsTest, TwoThatSettleAtOnceTakeAlongWhatEachSays) {
  MakeReady(MiB(20), MiB(20));
  Add(kC, MiB(20));
  Show(MiB(100));
  Show(MiB(112));
  rooms_.Settle(kA, MiB(2), now_);
  rooms_.Settle(kB, MiB(7), now_);
  ShowTwice(MiB(112));
  EXPECT_EQ(UsedBy(kC), MiB(3));
}

TEST_F(RoomsTest, OneThatSettlesBeforeItIsReadyTookNothing) {
  Add(kA, MiB(20));
  Add(kB, MiB(20));
  Update(MiB(20), MiB(100));
  Update(MiB(10), MiB(110));
  rooms_.Settle(kB, MiB(10), now_);
  EXPECT_FALSE(rooms_.NeedsLook());
  Update(MiB(10), MiB(110));
  EXPECT_EQ(UsedBy(kA), MiB(10));
}

TEST_F(RoomsTest, WhoseTimeIsOverIsTakenForAsMuchAsItCanHave) {
  MakeReady(MiB(20), MiB(10), absl::Seconds(5));
  Show(MiB(115));
  now_ += absl::Seconds(5);
  Show(MiB(115));
  EXPECT_EQ(StateOf(kB), RoomState::kSettled);
  ShowTwice(MiB(115));
  EXPECT_EQ(UsedBy(kA), MiB(5));
}

TEST_F(RoomsTest, WhoAsksAnewIsTakenForAsMuchOfTheOlderOneAsItCanHave) {
  MakeReady(MiB(10), MiB(20));
  Show(MiB(115));
  Add(kA, MiB(30));
  EXPECT_EQ(UsedBy(kB), MiB(5));
  EXPECT_TRUE(rooms_.NeedsLook());
}

// ---------------------------------------------------------------- the end of a session

TEST_F(RoomsTest, WhatARoomTookVanishesWithoutEmptyingOrFillingTheOthers) {
  MakeReady(MiB(10), MiB(20));
  Show(MiB(115));
  rooms_.Remove(kA, now_);
  EXPECT_TRUE(rooms_.NeedsLook());
  Show(MiB(115));
  EXPECT_EQ(UsedBy(kB), MiB(5)) << "not yet";
  Show(MiB(107));
  EXPECT_EQ(UsedBy(kB), MiB(5)) << "in parts";
  Show(MiB(105));
  EXPECT_EQ(UsedBy(kB), MiB(5));
  now_ += Rooms::kVanishes;
  Show(MiB(105));
  EXPECT_EQ(UsedBy(kB), MiB(5));
}

TEST_F(RoomsTest, WhatDoesNotVanishWithARoomThatWasNotSettledWasTheOthers) {
  MakeReady(MiB(20), MiB(20));
  Show(MiB(115));
  rooms_.Remove(kA, now_);
  Show(MiB(115));
  EXPECT_EQ(UsedBy(kB), Bytes()) << "in doubt";
  rooms_.Extend(absl::Seconds(100));
  now_ += Rooms::kVanishes;
  Show(MiB(115));
  EXPECT_EQ(UsedBy(kB), Bytes()) << "the machine slept";
  now_ += absl::Seconds(100);
  Show(MiB(115));
  EXPECT_EQ(UsedBy(kB), MiB(15));
}

TEST_F(RoomsTest, WhatDoesNotVanishAndCannotBeTheOthersIsNot) {
  MakeReady(MiB(20), MiB(10));
  Show(MiB(125));
  rooms_.Remove(kA, now_);
  now_ += Rooms::kVanishes;
  Show(MiB(125));
  Show(MiB(120));
  EXPECT_EQ(UsedBy(kB), MiB(5));
}

TEST_F(RoomsTest, AProcessMayEndSoonAfterItsSession) {
  MakeReady(MiB(20), MiB(20));
  Show(MiB(115));
  rooms_.Settle(kA, MiB(15), now_);
  ShowTwice(MiB(115));
  rooms_.Remove(kA, now_);
  rooms_.ProcessEnded(kA);
  now_ += Rooms::kVanishes;
  Show(MiB(115));
  EXPECT_EQ(UsedBy(kB), MiB(15)) << "it has grown by what is gone";
}

TEST_F(RoomsTest, WhatASettledRoomTookVanishesWithoutEmptyingTheOthers) {
  MakeReady(MiB(20), MiB(20));
  Show(MiB(118));
  rooms_.Settle(kA, MiB(10), now_);
  ShowTwice(MiB(118));
  rooms_.Remove(kA, now_);
  EXPECT_EQ(UsedBy(kB), MiB(8));
  Show(MiB(108));
  EXPECT_EQ(UsedBy(kB), MiB(8));
}

TEST_F(RoomsTest, WhatVanishedLongBeforeTheEndWasHeardOfDoesNotEmptyTheOthersForEver) {
  MakeReady(MiB(20), MiB(20));
  Show(MiB(118));
  rooms_.Settle(kA, MiB(10), now_);
  ShowTwice(MiB(118));
  Show(MiB(108));
  EXPECT_EQ(UsedBy(kB), Bytes());
  rooms_.ProcessEnded(kA);
  rooms_.Remove(kA, now_);
  now_ += Rooms::kVanishes;
  Show(MiB(108));
  EXPECT_EQ(UsedBy(kB), MiB(8));
}

TEST_F(RoomsTest, WhatASettledRoomTookStaysCountedWhereItDoesNotVanish) {
  MakeReady(MiB(20), MiB(20));
  Show(MiB(118));
  rooms_.Settle(kA, MiB(10), now_);
  ShowTwice(MiB(118));
  rooms_.Remove(kA, now_);
  now_ += Rooms::kVanishes;
  Show(MiB(118));
  EXPECT_EQ(UsedBy(kB), MiB(8));
  Show(MiB(115));
  EXPECT_EQ(UsedBy(kB), MiB(5)) << "what falls later is its own";
}

TEST_F(RoomsTest, OneThatSettlesAndEndsAtOnceLeavesWhatItSaid) {
  MakeReady(MiB(20), MiB(20));
  Show(MiB(118));
  rooms_.Settle(kA, MiB(10), now_);
  rooms_.Remove(kA, now_);
  now_ += Rooms::kVanishes;
  ShowTwice(MiB(118));
  EXPECT_EQ(UsedBy(kB), MiB(8));
}

TEST_F(RoomsTest, WhatASessionsEarlierRoomsTookVanishesWithIt) {
  MakeReady(MiB(20), MiB(20));
  Show(MiB(118));
  rooms_.Settle(kA, MiB(10), now_);
  ShowTwice(MiB(118));
  Add(kA, MiB(5));
  Show(MiB(118));
  rooms_.ProcessEnded(kA);
  rooms_.Remove(kA, now_);
  Show(MiB(108));
  now_ += Rooms::kVanishes;
  Show(MiB(108));
  EXPECT_EQ(UsedBy(kB), MiB(8));
}

TEST_F(RoomsTest, WhatIsThereWhenTheFirstOneIsReadyIsNoGrowthLater) {
  Add(kA, MiB(20));
  Show(MiB(100));
  Show(MiB(110));
  rooms_.Remove(kA, now_);
  Add(kB, MiB(20));
  ShowTwice(MiB(110));
  ASSERT_EQ(StateOf(kB), RoomState::kReady);
  now_ += Rooms::kVanishes;
  Show(MiB(110));
  EXPECT_EQ(UsedBy(kB), Bytes());
}

// Its program took 10 MiB, and goes on.
TEST_F(RoomsTest, WhatShowsAfterAReadyOnesSessionEndedIsNotOfTheOthers) {
  MakeReady(MiB(20), MiB(20));
  rooms_.Remove(kB, now_);
  EXPECT_EQ(HeldBack(), MiB(40)) << "nobody has looked yet";
  ShowTwice(MiB(110));
  EXPECT_EQ(UsedBy(kA), Bytes());
  EXPECT_EQ(HeldBack(), MiB(20));
}

// Its program took 10 MiB, said so, and goes on.
TEST_F(RoomsTest, WhatNoLookHasShownOfASettledRoomIsHeldBackThoughItsSessionEnds) {
  MakeReady(MiB(20), MiB(20));
  rooms_.Settle(kB, MiB(10), now_);
  Show(MiB(100));
  rooms_.Remove(kB, now_);
  EXPECT_EQ(HeldBack(), MiB(30)) << "that look may have begun before";
  ShowTwice(MiB(110));
  EXPECT_EQ(HeldBack(), MiB(20));
}

TEST_F(RoomsTest, WhatIsGoneWithAnotherCountsNotAgainstWhoSettlesThen) {
  Add(kA, MiB(20));
  Show(MiB(100));
  Show(MiB(120));
  Add(kB, MiB(20));
  Show(MiB(120));
  rooms_.Remove(kA, now_);
  ShowTwice(MiB(100));
  Add(kC, MiB(20));
  Show(MiB(100));
  Show(MiB(112));
  rooms_.Settle(kB, MiB(12), now_);
  ShowTwice(MiB(112));
  EXPECT_EQ(UsedBy(kC), Bytes());
}

}  // namespace
}  // namespace kvbroker
