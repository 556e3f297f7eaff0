#include "broker/core/lease.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

std::string Show(const Lease& lease) {
  const Lease::Counts& c = lease.counts();
  std::string text;
  const auto add = [&](const char* name, uint64_t n) {
    if (n != 0) text += (text.empty() ? "" : " ") + std::to_string(n) + " " + name;
  };
  add("starved", c.starved);
  add("making", c.making);
  add("unwanted", c.unwanted);
  add("made", c.made);
  add("sent", c.sent);
  add("active", c.active);
  add("returned", c.returned);
  return text;
}

// A lease of up to 100 slots with two planes.
class LeaseTest : public ::testing::Test {
 protected:
  void Make(uint64_t slots) {
    lease_.Grant(slots);
    lease_.StartMaking(slots);
    EXPECT_EQ(lease_.Made(slots), 0u);
  }
  BatchId Send(uint64_t slots) {
    Make(slots);
    return *lease_.Send(slots);
  }
  void Activate(uint64_t slots) { EXPECT_EQ(lease_.Confirm(Send(slots))->slots, slots); }

  Lease lease_{LeaseId(7), SessionId(1), ArenaId(3), {MiB(2), MiB(4)}, 100};
};

TEST_F(LeaseTest, ASlotTakesAllItsPlanes) { EXPECT_EQ(lease_.slot_bytes(), MiB(6)); }

TEST_F(LeaseTest, ASlotGoesFromGrantToCreditAndIsChargedAllTheWay) {
  lease_.Grant(2);
  EXPECT_EQ(Show(lease_), "2 starved");
  lease_.StartMaking(2);
  EXPECT_EQ(Show(lease_), "2 making");
  lease_.Made(2);
  EXPECT_EQ(Show(lease_), "2 made");
  const BatchId batch = *lease_.Send(2);
  EXPECT_EQ(Show(lease_), "2 sent");
  EXPECT_EQ(lease_.Confirm(batch)->slots, 2u);
  EXPECT_EQ(Show(lease_), "2 active");
  EXPECT_EQ(*lease_.Release(2), 2u);
  EXPECT_EQ(Show(lease_), "2 returned");
  EXPECT_EQ(lease_.counts().charged(), 2u);
  lease_.Credit(2);
  EXPECT_EQ(Show(lease_), "");
}

TEST_F(LeaseTest, WhatIsHeldLeavesOutWhatNobodyWaitsForAndWhatWasGivenBack) {
  Activate(5);
  ASSERT_TRUE(lease_.Release(2).ok());
  lease_.Grant(4);
  lease_.StartMaking(4);
  lease_.Revoke(1);

  EXPECT_EQ(Show(lease_), "3 making 1 unwanted 3 active 2 returned");
  EXPECT_EQ(lease_.counts().held(), 6u);
  EXPECT_EQ(lease_.counts().present(), 5u);
  EXPECT_EQ(lease_.counts().charged(), 9u);
}

TEST_F(LeaseTest, WhatCannotBeMadeKeepsItsPlace) {
  lease_.Grant(3);
  lease_.StartMaking(3);
  lease_.Made(1);

  lease_.MakeFailed(2);

  EXPECT_EQ(Show(lease_), "2 starved 1 made");
}

TEST_F(LeaseTest, AdoptedSlotsAreActiveAtOnce) {
  lease_.Adopt(4);
  EXPECT_EQ(Show(lease_), "4 active");
  EXPECT_EQ(lease_.total_granted(), 4u);
}

// ---------------------------------------------------------------- batches

TEST_F(LeaseTest, SendBesideABatchThatIsOutChangesNothing) {
  const BatchId first = Send(1);
  Make(1);

  const absl::StatusOr<BatchId> second = lease_.Send(1);

  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("is out and not confirmed"));
  EXPECT_EQ(Show(lease_), "1 made 1 sent");
  EXPECT_EQ(lease_.batch(), first);
}

TEST_F(LeaseTest, BatchesAreNumberedUpwards) {
  const BatchId first = Send(1);
  ASSERT_TRUE(lease_.Confirm(first).ok());
  EXPECT_GT(Send(1), first);
}

TEST_F(LeaseTest, ConfirmOfTheNewestBatchTwiceChangesNothing) {
  const BatchId batch = Send(2);
  ASSERT_TRUE(lease_.Confirm(batch).ok());
  ASSERT_TRUE(lease_.Release(1).ok());

  EXPECT_EQ(lease_.Confirm(batch)->slots, 0u);

  EXPECT_EQ(Show(lease_), "1 active 1 returned");
}

TEST_F(LeaseTest, ConfirmAndNackOfABatchThatIsNotOutChangeNothing) {
  const BatchId batch = Send(2);
  for (const BatchId wrong : {BatchId(), BatchId(batch.value() + 1), BatchId(UINT64_MAX)}) {
    EXPECT_EQ(lease_.Confirm(wrong).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(lease_.Nack(wrong).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Show(lease_), "2 sent");
  }
}

TEST_F(LeaseTest, ConfirmBeforeAnythingWasSentIsRefused) {
  EXPECT_EQ(lease_.Confirm(BatchId()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(lease_.Confirm(BatchId(1)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(LeaseTest, NackRevokesTheBatchAndKeepsItChargedUntilItIsSeen) {
  const BatchId batch = Send(2);

  EXPECT_EQ(*lease_.Nack(batch), 2u);

  EXPECT_EQ(Show(lease_), "2 returned");
  EXPECT_EQ(lease_.total_revoked(), 2u);
}

TEST_F(LeaseTest, NackTwiceOrAfterConfirmChangesNothing) {
  const BatchId nacked = Send(2);
  ASSERT_TRUE(lease_.Nack(nacked).ok());
  EXPECT_EQ(*lease_.Nack(nacked), 0u);
  EXPECT_EQ(lease_.Confirm(nacked)->slots, 0u);
  const BatchId confirmed = Send(3);
  ASSERT_TRUE(lease_.Confirm(confirmed).ok());
  EXPECT_EQ(*lease_.Nack(confirmed), 0u);
  EXPECT_EQ(Show(lease_), "3 active 2 returned");
  EXPECT_EQ(lease_.total_revoked(), 2u);
}

// ---------------------------------------------------------------- giving back

TEST_F(LeaseTest, ReleaseCountsFromTheStart) {
  Activate(5);
  EXPECT_EQ(*lease_.Release(2), 2u);
  EXPECT_EQ(*lease_.Release(2), 0u) << "a repeat";
  EXPECT_EQ(*lease_.Release(1), 0u) << "an older one";
  EXPECT_EQ(*lease_.Release(5), 3u);
  EXPECT_EQ(Show(lease_), "5 returned");
}

TEST_F(LeaseTest, ReleaseOfMoreThanThereWasChangesNothing) {
  Activate(2);
  for (const uint64_t total : {uint64_t{3}, UINT64_MAX}) {
    EXPECT_EQ(lease_.Release(total).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Show(lease_), "2 active");
  }
  EXPECT_EQ(*lease_.Release(2), 2u);
}

TEST_F(LeaseTest, ReleaseBeforeItsConfirmIsReturnedByTheConfirm) {
  Activate(1);
  const BatchId batch = Send(4);

  EXPECT_EQ(*lease_.Release(3), 1u);
  EXPECT_EQ(Show(lease_), "4 sent 1 returned");
  const Lease::Confirmed confirmed = *lease_.Confirm(batch);

  EXPECT_EQ(confirmed.slots, 4u);
  EXPECT_EQ(confirmed.returned, 2u);
  EXPECT_EQ(Show(lease_), "2 active 3 returned");
}

TEST_F(LeaseTest, ReleaseBeforeItsConfirmIsBoundedByTheBatch) {
  const BatchId batch = Send(2);
  Make(2);
  EXPECT_EQ(*lease_.Release(1), 0u);
  EXPECT_FALSE(lease_.Release(3).ok());
  EXPECT_EQ(*lease_.Release(2), 0u);
  EXPECT_FALSE(lease_.Release(3).ok());
  EXPECT_EQ(lease_.Confirm(batch)->returned, 2u);
}

TEST_F(LeaseTest, ReleaseOfABatchThatIsThenNackedIsNotReturnedTwice) {
  const BatchId nacked = Send(2);
  ASSERT_TRUE(lease_.Release(2).ok());

  EXPECT_EQ(*lease_.Nack(nacked), 2u);
  const BatchId next = Send(2);

  EXPECT_EQ(lease_.Confirm(next)->returned, 0u);
  EXPECT_EQ(Show(lease_), "2 active 2 returned");
}

// ---------------------------------------------------------------- taking back

TEST_F(LeaseTest, RevokeTakesWhatHasNoMemoryFirst) {
  Make(2);
  lease_.Grant(4);
  lease_.StartMaking(4);
  lease_.MakeFailed(1);

  const Lease::Revoked first = lease_.Revoke(3);
  EXPECT_EQ(first.slots, 3u);
  EXPECT_EQ(first.discard, 0u);
  EXPECT_EQ(Show(lease_), "1 making 2 unwanted 2 made");

  const Lease::Revoked second = lease_.Revoke(2);
  EXPECT_EQ(second.slots, 2u);
  EXPECT_EQ(second.discard, 1u);
  EXPECT_EQ(Show(lease_), "3 unwanted 1 made 1 returned");
  EXPECT_EQ(lease_.total_revoked(), 5u);
}

TEST_F(LeaseTest, RevokeLeavesWhatTheClientHasOrMayHave) {
  Activate(2);
  Send(3);

  EXPECT_EQ(lease_.Revoke(UINT64_MAX).slots, 0u);

  EXPECT_EQ(Show(lease_), "3 sent 2 active");
}

TEST_F(LeaseTest, WhatIsRevokedWhileMakingIsReturnedWhenMade) {
  lease_.Grant(3);
  lease_.StartMaking(3);
  lease_.Revoke(2);

  EXPECT_EQ(lease_.Made(1), 1u);
  EXPECT_EQ(Show(lease_), "1 making 1 unwanted 1 returned");
  EXPECT_EQ(lease_.Made(2), 1u);
  EXPECT_EQ(Show(lease_), "1 made 2 returned");
}

TEST_F(LeaseTest, WhatIsRevokedWhileMakingIsGoneWhenItFails) {
  lease_.Grant(3);
  lease_.StartMaking(3);
  lease_.Revoke(2);

  lease_.MakeFailed(3);

  EXPECT_EQ(Show(lease_), "1 starved");
}

TEST_F(LeaseTest, AbandonReturnsAllThatHasMemoryAndForgetsTheRest) {
  Activate(1);
  Send(2);
  Make(3);
  lease_.Grant(9);
  lease_.StartMaking(9);
  lease_.MakeFailed(4);
  lease_.want = {.revision = 1, .slots = 50};
  lease_.pending_fetch = 5;

  const Lease::Abandoned abandoned = lease_.Abandon();

  EXPECT_EQ(abandoned.discard, 3u);
  EXPECT_TRUE(abandoned.batch_out);
  EXPECT_EQ(Show(lease_), "5 unwanted 6 returned");
  EXPECT_EQ(lease_.counts().held(), 0u);
  EXPECT_EQ(lease_.want.slots, 0u);
  EXPECT_FALSE(lease_.pending_fetch.has_value());
}

TEST_F(LeaseTest, AbandonTwiceChangesNothing) {
  Activate(2);
  lease_.Abandon();
  const Lease::Abandoned again = lease_.Abandon();
  EXPECT_EQ(again.discard, 0u);
  EXPECT_FALSE(again.batch_out);
  EXPECT_EQ(Show(lease_), "2 returned");
}

using LeaseDeathTest = LeaseTest;

TEST_F(LeaseDeathTest, WhatTheBrokerItselfMiscountsAborts) {
  lease_.Grant(1);
  EXPECT_DEATH(lease_.StartMaking(2), "fewer slots");
  EXPECT_DEATH(lease_.Made(1), "fewer slots");
  EXPECT_DEATH(lease_.MakeFailed(1), "fewer slots");
  EXPECT_DEATH(lease_.Send(1).IgnoreError(), "fewer slots");
  EXPECT_DEATH(lease_.Credit(1), "more slots credited");
}

}  // namespace
}  // namespace kvbroker
