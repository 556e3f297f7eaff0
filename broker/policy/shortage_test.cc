#include "broker/policy/shortage.h"

#include <vector>

#include "broker/policy/testing/snapshot_builder.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

Bytes Needed(const Shortage& shortage, Purpose purpose) { return shortage.needed[static_cast<size_t>(purpose)]; }

TEST(ShortageTest, EntitlementThatCouldBeGrantedIsNeededLessWhatIsThereOrComes) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .held = GiB(18), .wanted = GiB(18), .returned = GiB(2)})
                                      .Add({.tenant = "b", .held = GiB(2), .wanted = GiB(20)})
                                      .Build();
  const Shortage shortage = FindShortage(SumUp(snapshot), {GiB(12), GiB(12)}, std::nullopt);
  EXPECT_EQ(Needed(shortage, Purpose::kShareOfInteractive), GiB(10));
  EXPECT_EQ(shortage.Missing(), GiB(6));
  EXPECT_EQ(shortage.First(), Purpose::kShareOfInteractive);
  EXPECT_EQ(shortage.Within(), kUsualDeadline);
}

TEST(ShortageTest, WhatIsOfNoUseIsNotNeeded) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .held = GiB(24)})
                                      .Add({.tenant = "b", .wanted = GiB(20), .min_useful = 200})
                                      .Build();
  EXPECT_EQ(FindShortage(SumUp(snapshot), {Bytes(), GiB(12)}, std::nullopt).Missing(), Bytes());
  const Situation situation = SumUp(snapshot);
  EXPECT_EQ(FindShortage(situation, {Bytes(), GiB(13) + MiB(63)}, std::nullopt).Missing(), GiB(13));
}

TEST(ShortageTest, TheMostUrgentPurposeThatIsNotMetIsTheFirst) {
  const TenantPolicy chat = {.guarantee = GiB(4), .guarantee_deadline = absl::Milliseconds(300)};
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .held = GiB(20)})
                                      .Add({.tenant = "chat", .policy = chat, .wanted = GiB(8)})
                                      .RoomShort(GiB(1))
                                      .Build();
  const Shortage shortage = FindShortage(SumUp(snapshot), {Bytes(), GiB(8)}, std::nullopt);
  EXPECT_EQ(Needed(shortage, Purpose::kRoom), GiB(1));
  EXPECT_EQ(Needed(shortage, Purpose::kGuarantee), GiB(4));
  EXPECT_EQ(Needed(shortage, Purpose::kShareOfInteractive), GiB(4));
  EXPECT_EQ(shortage.First(), Purpose::kGuarantee);  // room has what is available
  EXPECT_EQ(shortage.Missing(Purpose::kGuarantee), GiB(1));
  EXPECT_EQ(shortage.tenant[static_cast<size_t>(Purpose::kGuarantee)], 1u);
  EXPECT_EQ(shortage.Within(), absl::Milliseconds(300));
}

TEST(ShortageTest, AReserveIsNeededEvenIfNobodyWantsIt) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .held = GiB(24), .wanted = GiB(24)})
                                      .Add({.tenant = "b", .policy = {.reserved = GiB(3)}})
                                      .Build();
  const Shortage shortage = FindShortage(SumUp(snapshot), {GiB(21), Bytes()}, std::nullopt);
  EXPECT_EQ(shortage.First(), Purpose::kReserve);
  EXPECT_EQ(shortage.Missing(), GiB(3));
}

TEST(ShortageTest, ATurnComesBeforeShares) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24))
                                      .Add({.tenant = "a", .floor = GiB(16), .held = GiB(12), .wanted = GiB(20)})
                                      .Add({.tenant = "b", .held = GiB(12)})
                                      .Build();
  const Shortage shortage = FindShortage(SumUp(snapshot), {GiB(18), GiB(6)}, 0);
  EXPECT_EQ(Needed(shortage, Purpose::kTurn), GiB(4));
  EXPECT_EQ(Needed(shortage, Purpose::kShareOfInteractive), GiB(2));
}

// ---------------------------------------------------------------- trims

TEST(ShortageTest, TrimsOnTheirWayDoForRoomAndSharesAlone) {
  Shortage shortage{.supply = GiB(1), .trims = GiB(10)};
  shortage.needed[static_cast<size_t>(Purpose::kRoom)] = GiB(2);
  shortage.needed[static_cast<size_t>(Purpose::kGuarantee)] = GiB(4);
  shortage.needed[static_cast<size_t>(Purpose::kShareOfBatch)] = GiB(3);
  EXPECT_EQ(shortage.Missing(Purpose::kRoom), Bytes());
  EXPECT_EQ(shortage.Missing(Purpose::kGuarantee), GiB(3));
  EXPECT_EQ(shortage.Missing(), GiB(3));
  EXPECT_EQ(shortage.First(), Purpose::kGuarantee);
  shortage.trims = GiB(4);
  EXPECT_EQ(shortage.Missing(), GiB(4)) << "9 are needed, 1 is there, 4 come";
}

}  // namespace
}  // namespace kvbroker
