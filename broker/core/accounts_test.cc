#include "broker/core/accounts.h"

#include <vector>

#include "broker/core/testing/some_records.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Accounts Of(const std::vector<Record>& records) {
  Accounts accounts;
  for (const Record& record : records) accounts.Apply(record);
  return accounts;
}

class AccountsTest : public ::testing::Test {
 protected:
  SessionRecord& Open() { return ledger_.AddSession({.id = accounts_.next_session(), .tenant = "a"}); }
  Lease& LeaseOf(SessionRecord& session) { return ledger_.AddLease(session, ArenaId(1), {MiB(2)}, 100); }
  // Follows it, and sees that the records say the same.
  std::vector<Record> Follow() {
    std::vector<Record> records = accounts_.Follow(ledger_);
    for (const Record& record : records) read_.Apply(record);
    EXPECT_EQ(read_, accounts_);
    return records;
  }

  Ledger ledger_;
  Accounts accounts_;
  Accounts read_;
};

TEST_F(AccountsTest, TheNewestOfEachCounts) {
  const Accounts accounts = Of({ASession(1), ALease(1, 1, 5), ALease(1, 1, 9), ALease(1, 1, 9)});
  EXPECT_EQ(accounts.leases().at(LeaseId(1)).held, 9u);
}

TEST_F(AccountsTest, WhatIsOutNoMoreIsForgotten) {
  EXPECT_THAT(Of({ASession(1), ALease(1, 1, 5), ALease(1, 1, 0)}).leases(), IsEmpty());
}

TEST_F(AccountsTest, ASessionThatEndsTakesItsLeasesWithIt) {
  const Accounts accounts =
      Of({ASession(1), ASession(2), ALease(1, 1, 5), ALease(2, 2, 5), record::SessionEnded{SessionId(1)}});
  EXPECT_THAT(accounts.sessions(), SizeIs(1));
  EXPECT_THAT(accounts.leases(), SizeIs(1));
}

TEST_F(AccountsTest, ALeaseOfNobodyIsPassedOver) { EXPECT_THAT(Of({ALease(1, 3, 5)}).leases(), IsEmpty()); }

TEST_F(AccountsTest, NumbersAreNotGivenOutAgain) {
  const Accounts accounts = Of({ASession(4), ALease(7, 4, 5), record::SessionEnded{SessionId(4)}});
  EXPECT_EQ(accounts.next_session(), SessionId(5));
  EXPECT_EQ(accounts.next_lease(), LeaseId(8));
}

TEST_F(AccountsTest, TheShortestRecordsSayTheSame) {
  const Accounts accounts = Of({ASession(1), ALease(1, 1, 5), ALease(1, 1, 9), ASession(2), ALease(2, 2, 1)});
  EXPECT_THAT(accounts.Records(), SizeIs(4));
  EXPECT_EQ(Of(accounts.Records()), accounts);
}

TEST_F(AccountsTest, FollowsSlotsFromTheMomentTheyAreHandedOver) {
  Lease& lease = LeaseOf(Open());
  EXPECT_THAT(Follow(), SizeIs(1));  // the session

  lease.Grant(3);
  lease.StartMaking(3);
  lease.Made(3);
  EXPECT_THAT(Follow(), IsEmpty());

  const BatchId batch = *lease.Send(2);
  std::vector<Record> records;
  accounts_.Follow(lease, records);
  EXPECT_THAT(records, SizeIs(1));
  EXPECT_EQ(accounts_.leases().at(lease.id()).held, 2u);
  EXPECT_THAT(accounts_.Follow(ledger_), IsEmpty());

  ASSERT_TRUE(lease.Confirm(batch).ok());
  EXPECT_THAT(accounts_.Follow(ledger_), IsEmpty());
  ASSERT_TRUE(lease.Release(1).ok());
  EXPECT_THAT(accounts_.Follow(ledger_), SizeIs(1));
  EXPECT_EQ(accounts_.leases().at(lease.id()).held, 1u);
  EXPECT_EQ(accounts_.leases().at(lease.id()).returned, 1u);

  lease.Credit(1);
  EXPECT_THAT(accounts_.Follow(ledger_), SizeIs(1));
  EXPECT_EQ(accounts_.leases().at(lease.id()).returned, 0u);
}

TEST_F(AccountsTest, FollowsALeaseToItsEnd) {
  Lease& lease = LeaseOf(Open());
  lease.Adopt(1);
  Follow();
  ASSERT_TRUE(lease.Release(1).ok());
  lease.Credit(1);
  ledger_.RemoveLease(lease.id());
  Follow();
  EXPECT_THAT(accounts_.leases(), IsEmpty());
}

TEST_F(AccountsTest, FollowsASessionToItsEnd) {
  SessionRecord& session = Open();
  Follow();
  ledger_.RemoveSession(session.id);
  EXPECT_THAT(Follow(), ElementsAre(Record(record::SessionEnded{SessionId(1)})));
  EXPECT_THAT(accounts_.sessions(), IsEmpty());
}

}  // namespace
}  // namespace kvbroker
