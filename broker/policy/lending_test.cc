#include "broker/policy/lending.h"

#include <vector>

#include "broker/policy/saturating.h"
#include "broker/policy/testing/snapshot_builder.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

const SessionSpec kGuaranteed = {.tenant = "chat",
                                 .policy = {.guarantee = GiB(12), .guarantee_deadline = absl::Milliseconds(500)}};

// A tenant that holds 8 GiB of which 6 could be given back, and wants more; 16 GiB are free.
SessionSpec Borrower() {
  return {.tenant = "jobs",
          .policy = {.tenant_class = TenantClass::kBatch},
          .held = GiB(8),
          .wanted = GiB(24),
          .holding = {.spare = GiB(2), .free = GiB(4), .preemptible = GiB(1)},
          .response = absl::Milliseconds(50)};
}

LendingBook Open(const SessionSpec& borrower, const SessionSpec& guaranteed = kGuaranteed) {
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(24)).Add(guaranteed).Add(borrower).Build();
  return LendingBook(SumUp(snapshot), std::vector<Bytes>(2), snapshot.available);
}

TEST(LendingBookTest, WithoutAnIdleGuaranteeThereIsNoBound) {
  EXPECT_EQ(Open(Borrower(), {.tenant = "chat"}).Lendable(1), kMostBytes);
}

TEST(LendingBookTest, IsLentAgainstWhatCanBeHadBack) {
  // 16 unlent + 7 revocable (with what a higher class may put off) - 12 idle.
  EXPECT_EQ(Open(Borrower()).Lendable(1), GiB(11));
}

TEST(LendingBookTest, WhatEqualsWouldHaveToPutOffDoesNotCount) {
  SessionSpec equal = Borrower();
  equal.policy.tenant_class = TenantClass::kInteractive;
  EXPECT_EQ(Open(equal).Lendable(1), GiB(10));
}

TEST(LendingBookTest, WhoDoesNotReportOrMissedATargetOrIsSlowDoesNotCount) {
  SessionSpec silent = Borrower();
  silent.reported = false;
  EXPECT_EQ(Open(silent).Lendable(1), GiB(4));
  SessionSpec late = Borrower();
  late.missed_target = true;
  EXPECT_EQ(Open(late).Lendable(1), GiB(4));
  SessionSpec slow = Borrower();
  slow.response = absl::Milliseconds(501);
  EXPECT_EQ(Open(slow).Lendable(1), GiB(4));
}

TEST(LendingBookTest, WhatIsAssuredToTheBorrowerIsNotBorrowed) {
  SessionSpec own = Borrower();
  own.policy.guarantee = GiB(4);
  EXPECT_EQ(Open(own).Lendable(1), GiB(11));  // 4 revocable now, 3 more once it borrows them
  EXPECT_EQ(Open(own).Lendable(0), GiB(8));
}

TEST(LendingBookTest, WhatIsWantedAtOnceStaysUnlent) {
  SessionSpec slow = Borrower();
  slow.holding.spare = GiB(7);
  slow.holding.free = GiB(1);
  slow.holding.preemptible = Bytes();
  slow.response = absl::Milliseconds(500);
  EXPECT_EQ(Open(slow).Lendable(1), GiB(12));  // 16 + 8 - 12; instant would leave 14
  slow.policy.tenant_class = TenantClass::kInteractive;
  const PolicySnapshot snapshot = SnapshotBuilder(GiB(16)).Add(kGuaranteed).Add(slow).Build();
  LendingBook book(SumUp(snapshot), std::vector<Bytes>(2), GiB(8));
  EXPECT_EQ(book.Lendable(1), GiB(4));
  const PolicySnapshot small = SnapshotBuilder(GiB(11)).Add(kGuaranteed).Add(slow).Build();
  EXPECT_EQ(LendingBook(SumUp(small), std::vector<Bytes>(2), GiB(5)).Lendable(1), GiB(1));
  // 4 GB/s for half a second are kept where covering would allow more.
  SessionSpec few = kGuaranteed;
  few.policy.guarantee = GiB(4);
  EXPECT_EQ(LendingBook(SumUp(SnapshotBuilder(GiB(11)).Add(few).Add(slow).Build()), std::vector<Bytes>(2), GiB(3))
                .Lendable(1),
            GiB(3) - Bytes(2'000'000'000));
}

TEST(LendingBookTest, AReserveIsNotLentAtAll) {
  SessionSpec reserved = kGuaranteed;
  reserved.policy.reserved = GiB(12);
  const LendingBook book = Open(Borrower(), reserved);
  EXPECT_EQ(book.Lendable(1), kMostBytes);  // no guarantee is idle; the reserve is kept by the grants themselves
  EXPECT_EQ(book.AtRisk(), Bytes());
}

TEST(LendingBookTest, GrantsUseUpWhatCanBeLent) {
  LendingBook book = Open(Borrower());
  book.Grant(1, Bytes(), GiB(10));
  EXPECT_EQ(book.Lendable(1), GiB(1));
  book.Grant(0, GiB(2), Bytes());
  EXPECT_EQ(book.Lendable(1), GiB(1));
}

TEST(LendingBookTest, WhatCannotBeHadBackIsAtRisk) {
  SessionSpec silent = Borrower();
  silent.held = GiB(20);
  silent.reported = false;
  LendingBook book = Open(silent);
  EXPECT_EQ(book.AtRisk(), GiB(8));
  EXPECT_EQ(book.Lendable(1), Bytes());
}

}  // namespace
}  // namespace kvbroker
