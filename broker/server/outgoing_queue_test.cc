#include "broker/server/outgoing_queue.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::BrokerMessage Target(uint64_t revision) {
  v1::BrokerMessage message;
  message.mutable_target()->set_revision(revision);
  return message;
}

v1::BrokerMessage Trim(uint64_t revision) {
  v1::BrokerMessage message;
  message.mutable_trim()->set_revision(revision);
  return message;
}

v1::BrokerMessage Opened(uint64_t arena, uint64_t lease) {
  v1::BrokerMessage message;
  message.mutable_arena_opened()->set_arena_id(arena);
  message.mutable_arena_opened()->set_lease_id(lease);
  return message;
}

v1::BrokerMessage Grant(uint64_t lease, uint64_t slots) {
  v1::BrokerMessage message;
  message.mutable_grant()->set_lease_id(lease);
  message.mutable_grant()->set_cumulative_slots(slots);
  return message;
}

v1::BrokerMessage Revoke(uint64_t lease, uint64_t slots) {
  v1::BrokerMessage message;
  message.mutable_revoke()->set_lease_id(lease);
  message.mutable_revoke()->set_cumulative_slots(slots);
  return message;
}

v1::BrokerMessage Error(const std::string& text) {
  v1::BrokerMessage message;
  message.mutable_error()->set_message(text);
  return message;
}

std::string Short(const v1::BrokerMessage& m) {
  if (m.has_target()) return absl::StrCat("target ", m.target().revision());
  if (m.has_trim()) return absl::StrCat("trim ", m.trim().revision());
  if (m.has_arena_opened()) return absl::StrCat("opened ", m.arena_opened().arena_id());
  if (m.has_grant()) return absl::StrCat("grant ", m.grant().lease_id(), " ", m.grant().cumulative_slots());
  if (m.has_revoke()) return absl::StrCat("revoke ", m.revoke().lease_id(), " ", m.revoke().cumulative_slots());
  return absl::StrCat("error ", m.error().message());
}

std::vector<std::string> TakeAll(OutgoingQueue& queue) {
  std::vector<std::string> all;
  while (const auto message = queue.Take()) all.push_back(Short(*message));
  return all;
}

TEST(OutgoingQueueTest, SaysEachMessageOnceInOrder) {
  OutgoingQueue queue;
  for (const auto& m : {Target(1), Opened(1, 3), Grant(3, 5), Error("a"), Revoke(3, 2)}) queue.Add(m);
  EXPECT_THAT(TakeAll(queue), ElementsAre("target 1", "opened 1", "grant 3 5", "error a", "revoke 3 2"));
  EXPECT_THAT(TakeAll(queue), IsEmpty());
}

TEST(OutgoingQueueTest, ANewerLevelTakesThePlaceOfAnOlderOneThatWasNotSaid) {
  OutgoingQueue queue;
  for (const auto& m : {Grant(3, 5), Grant(4, 1), Error("a"), Grant(3, 9), Error("a")}) queue.Add(m);
  EXPECT_THAT(TakeAll(queue), ElementsAre("grant 3 9", "grant 4 1", "error a", "error a"));
}

TEST(OutgoingQueueTest, OfTrimsTheNewestIsSaidAndToAStreamThatIsOpenedAnewOnceMore) {
  OutgoingQueue queue;
  for (const auto& m : {Trim(1), Target(1), Trim(2)}) queue.Add(m);
  EXPECT_THAT(TakeAll(queue), ElementsAre("trim 2", "target 1"));
  queue.StartAnew();
  EXPECT_THAT(TakeAll(queue), ElementsAre("trim 2", "target 1"));
}

TEST(OutgoingQueueTest, ANewerLevelComesAfterWhatWaitsWhereTheOlderOneWasSaid) {
  OutgoingQueue queue;
  queue.Add(Target(1));
  TakeAll(queue);
  queue.Add(Error("a"));
  queue.Add(Target(2));
  EXPECT_THAT(TakeAll(queue), ElementsAre("error a", "target 2"));
}

TEST(OutgoingQueueTest, WhoStartsAnewHearsTheLevelsAsTheyAreNow) {
  OutgoingQueue queue;
  for (const auto& m : {Target(1), Opened(1, 3), Grant(3, 5), Error("a")}) queue.Add(m);
  TakeAll(queue);
  for (const auto& m : {Grant(3, 9), Target(2), Error("b")}) queue.Add(m);

  queue.StartAnew();

  EXPECT_THAT(TakeAll(queue), ElementsAre("opened 1", "grant 3 9", "target 2", "error b"));
}

TEST(OutgoingQueueTest, ErrorsBeyondTheBoundDropTheOldestErrorAndNoLevel) {
  OutgoingQueue queue;
  queue.Add(Target(1));
  for (int i = 0; i < OutgoingQueue::kMostNotices + 2000; ++i) queue.Add(Error(absl::StrCat(i)));
  queue.Add(Opened(1, 3));
  queue.Add(Grant(3, 5));

  const std::vector<std::string> all = TakeAll(queue);

  ASSERT_EQ(all.size(), 3u + OutgoingQueue::kMostNotices);
  EXPECT_EQ(all[0], "target 1");
  EXPECT_EQ(all[1], "error 2000");
  EXPECT_EQ(all[all.size() - 2], "opened 1");
  EXPECT_EQ(all.back(), "grant 3 5");
}

TEST(OutgoingQueueTest, AClosedArenaIsForgottenWithItsLease) {
  OutgoingQueue queue;
  for (const auto& m : {Opened(1, 3), Grant(3, 5), Opened(2, 4), Grant(4, 6)}) queue.Add(m);
  TakeAll(queue);

  queue.ForgetArena(1);
  queue.ForgetArena(77);
  queue.Add(Revoke(3, 5));  // said once, and not kept: nobody would forget it
  EXPECT_THAT(TakeAll(queue), ElementsAre("revoke 3 5"));

  queue.StartAnew();
  EXPECT_THAT(TakeAll(queue), ElementsAre("opened 2", "grant 4 6"));
}

TEST(OutgoingQueueTest, AnArenaThatIsOpenedAgainHasItsNewLeaseAlone) {
  OutgoingQueue queue;
  for (const auto& m : {Opened(1, 3), Grant(3, 5), Opened(1, 8), Grant(8, 1)}) queue.Add(m);
  EXPECT_THAT(TakeAll(queue), ElementsAre("opened 1", "grant 8 1"));
}

}  // namespace
}  // namespace kvbroker
