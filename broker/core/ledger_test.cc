#include "broker/core/ledger.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

// Two sessions of tenant "a" and one of "b", each with one arena; slots of 2, 2 and 6 MiB.
class LedgerTest : public ::testing::Test {
 protected:
  static Lease& Add(Ledger& ledger, uint64_t session, const char* tenant, std::vector<Bytes> planes) {
    SessionRecord& record = ledger.AddSession({.id = SessionId(session), .tenant = tenant});
    return ledger.AddLease(record, ArenaId(1), std::move(planes), 100);
  }
  void Return(Lease& lease, uint64_t slots) {
    lease.Adopt(slots);
    ASSERT_TRUE(lease.Release(lease.total_granted()).ok());
    ledger_.NoteReturned(lease.id(), slots);
  }

  Ledger ledger_;
  Lease& a1_ = Add(ledger_, 1, "a", {MiB(2)});
  Lease& a2_ = Add(ledger_, 2, "a", {MiB(2)});
  Lease& b_ = Add(ledger_, 3, "b", {MiB(2), MiB(4)});
};

TEST_F(LedgerTest, SumsEveryAccount) {
  a1_.Adopt(3);
  a2_.Grant(1);
  Return(b_, 2);

  const DeviceView::Books books = ledger_.Books();

  EXPECT_EQ(books.charged, MiB(6 + 2 + 12));
  EXPECT_EQ(books.present, MiB(6 + 12));
  EXPECT_EQ(books.returned, MiB(12));
  EXPECT_EQ(ledger_.ChargedTo(*ledger_.FindSession(SessionId(1))), MiB(6));
  EXPECT_EQ(ledger_.BooksOf(*ledger_.FindSession(SessionId(3))).returned, MiB(12));
  EXPECT_EQ(ledger_.ChargedToTenant("a"), MiB(8));
  EXPECT_EQ(ledger_.ChargedToTenant("nobody"), Bytes());
}

TEST_F(LedgerTest, FindsWhatIsThereAndNothingElse) {
  EXPECT_EQ(ledger_.FindLease(a2_.id()), &a2_);
  EXPECT_EQ(ledger_.FindLease(SessionId(2), ArenaId(1)), &a2_);
  EXPECT_EQ(ledger_.FindLease(SessionId(2), ArenaId(9)), nullptr);
  EXPECT_EQ(ledger_.FindLease(SessionId(9), ArenaId(1)), nullptr);
  EXPECT_EQ(ledger_.FindLease(LeaseId(UINT64_MAX)), nullptr);
  EXPECT_EQ(ledger_.FindSession(SessionId()), nullptr);
}

TEST_F(LedgerTest, KnowsALeaseThatEndedFromOneThatNeverWas) {
  const LeaseId ended = a1_.id();
  ledger_.RemoveLease(ended);
  EXPECT_TRUE(ledger_.HasEnded(ended));
  EXPECT_FALSE(ledger_.HasEnded(a2_.id()));
  EXPECT_FALSE(ledger_.HasEnded(LeaseId()));
  EXPECT_FALSE(ledger_.HasEnded(LeaseId(UINT64_MAX)));
}

TEST_F(LedgerTest, NumbersOfLeasesAreNotUsedAgain) {
  const LeaseId last = b_.id();
  ledger_.RemoveLease(last);
  EXPECT_GT(ledger_.AddLease(*ledger_.FindSession(SessionId(3)), ArenaId(1), {MiB(2)}, 1).id(), last);
}

TEST_F(LedgerTest, CreditsTheNewestFirst) {
  Return(a1_, 3);
  Return(a2_, 2);

  EXPECT_EQ(ledger_.CreditReturned(MiB(6)), MiB(6));

  EXPECT_EQ(a2_.counts().returned, 0u);
  EXPECT_EQ(a1_.counts().returned, 2u);
  EXPECT_TRUE(ledger_.ReturnedAddsUp());
}

TEST_F(LedgerTest, WhatIsStuckKeepsNobodysReturnsUncredited) {
  Return(a1_, 3);
  for (int i = 0; i < 10; ++i) {
    Return(b_, 1);
    EXPECT_EQ(ledger_.CreditReturned(MiB(6)), MiB(6));
    EXPECT_EQ(b_.counts().charged(), 0u);
  }
  EXPECT_EQ(a1_.counts().returned, 3u);
}

TEST_F(LedgerTest, CreditsWholeSlotsAndLeavesWhatRemainsToSmallerOnes) {
  Return(a1_, 3);
  Return(b_, 1);

  EXPECT_EQ(ledger_.CreditReturned(MiB(5)), MiB(4));

  EXPECT_EQ(b_.counts().returned, 1u);
  EXPECT_EQ(a1_.counts().returned, 1u);
}

TEST_F(LedgerTest, CreditsNoMoreThanWasReturned) {
  Return(a1_, 1);
  EXPECT_EQ(ledger_.CreditReturned(Bytes(UINT64_MAX)), MiB(2));
  EXPECT_EQ(ledger_.CreditReturned(Bytes(UINT64_MAX)), Bytes());
}

TEST_F(LedgerTest, ReturnedSlotsThatNobodyNotedDoNotAddUp) {
  Return(a1_, 2);
  EXPECT_TRUE(ledger_.ReturnedAddsUp());
  b_.Adopt(1);
  ASSERT_TRUE(b_.Release(1).ok());
  EXPECT_FALSE(ledger_.ReturnedAddsUp());
}

using LedgerDeathTest = LedgerTest;

TEST_F(LedgerDeathTest, WhatIsChargedIsNotRemoved) {
  a1_.Grant(1);
  EXPECT_DEATH(ledger_.RemoveLease(a1_.id()), "a lease with slots");
  EXPECT_DEATH(ledger_.RemoveSession(SessionId(1)), "a session with leases");
}

}  // namespace
}  // namespace kvbroker
