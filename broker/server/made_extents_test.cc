#include "broker/server/made_extents.h"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr LeaseId kLease(1);
constexpr BatchId kBatch(1);

// Slots of `planes` descriptors each, whose numbers are appended to `fds`.
std::vector<MadeSlot> Slots(int slots, int planes, std::vector<int>& fds) {
  std::vector<MadeSlot> made(static_cast<size_t>(slots));
  for (MadeSlot& slot : made) {
    for (int i = 0; i < planes; ++i) {
      slot.fds.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
      fds.push_back(slot.fds.back().get());
    }
  }
  return made;
}

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(MadeExtentsTest, ABatchHasTheOldestSlotsPlanesInOrder) {
  std::vector<int> fds;
  MadeExtents made;
  made.Add(kLease, Slots(1, 2, fds));
  made.Add(kLease, Slots(2, 2, fds));
  EXPECT_THAT(made.StartBatch(kLease, kBatch, 2), ElementsAre(fds[0], fds[1], fds[2], fds[3]));
  EXPECT_TRUE(IsOpen(fds[0])) << "until the batch is taken";
}

TEST(MadeExtentsTest, ABatchIsTakenOnceAndByItsNumber) {
  std::vector<int> fds;
  MadeExtents made;
  made.Add(kLease, Slots(3, 1, fds));
  made.StartBatch(kLease, kBatch, 2);
  EXPECT_THAT(made.TakeBatch(kLease, BatchId(2)), IsEmpty());
  EXPECT_THAT(made.TakeBatch(LeaseId(2), kBatch), IsEmpty());
  EXPECT_THAT(made.TakeBatch(kLease, kBatch), SizeIs(2));
  EXPECT_THAT(made.TakeBatch(kLease, kBatch), IsEmpty());
  EXPECT_FALSE(IsOpen(fds[0])) << "whoever took it has let go of it";
}

TEST(MadeExtentsTest, WhatIsTakenBackIsTheNewest) {
  std::vector<int> fds;
  MadeExtents made;
  made.Add(kLease, Slots(3, 1, fds));
  const std::vector<MadeSlot> taken = made.TakeMade(kLease, 2);
  ASSERT_THAT(taken, SizeIs(2));
  EXPECT_EQ(taken[0].fds[0].get(), fds[1]);
  EXPECT_EQ(taken[1].fds[0].get(), fds[2]);
  EXPECT_THAT(made.StartBatch(kLease, kBatch, 1), ElementsAre(fds[0]));
}

TEST(MadeExtentsTest, LeasesAreApart) {
  std::vector<int> fds;
  MadeExtents made;
  made.Add(kLease, Slots(1, 1, fds));
  made.Add(LeaseId(2), Slots(1, 1, fds));
  EXPECT_THAT(made.StartBatch(LeaseId(2), kBatch, 1), ElementsAre(fds[1]));
  EXPECT_THAT(made.StartBatch(kLease, kBatch, 1), ElementsAre(fds[0]));
}

TEST(MadeExtentsDeathTest, ABatchOfMoreThanIsMadeIsAFaultOfOurs) {
  MadeExtents made;
  EXPECT_DEATH(made.StartBatch(kLease, kBatch, 1), "slots that are made");
  EXPECT_DEATH(made.TakeMade(kLease, 1), "more made slots taken");
}

}  // namespace
}  // namespace kvbroker
