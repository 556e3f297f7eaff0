#include "client/session/event_queue.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "absl/time/clock.h"

namespace kvbroker {
namespace {

using Kind = SessionEvent::Kind;

bool Readable(const EventQueue& queue) {
  pollfd fd = {.fd = queue.fd(), .events = POLLIN};
  return poll(&fd, 1, 0) == 1;
}

TEST(EventQueueTest, IsReadableWhileItHasEvents) {
  EventQueue queue;
  EXPECT_FALSE(Readable(queue));
  queue.Push({.kind = Kind::kBrokerAway});
  queue.Push({.kind = Kind::kReady, .arena = 1});
  EXPECT_EQ(queue.Pop()->kind, Kind::kBrokerAway);
  EXPECT_TRUE(Readable(queue));
  EXPECT_EQ(queue.Pop()->kind, Kind::kReady);
  EXPECT_FALSE(Readable(queue));
  EXPECT_FALSE(queue.Pop().has_value());
}

TEST(EventQueueTest, TheNewestOfAKindAndArenaCounts) {
  EventQueue queue;
  queue.Push({.kind = Kind::kTarget, .bytes = MiB(4), .within = absl::Milliseconds(1)});
  queue.Push({.kind = Kind::kTarget, .bytes = MiB(8)});
  queue.Push({.kind = Kind::kRefused, .arena = 1});
  queue.Push({.kind = Kind::kRefused, .arena = 2});
  const std::optional<SessionEvent> event = queue.Pop();
  EXPECT_EQ(event->bytes, MiB(8));
  EXPECT_EQ(event->within, absl::InfiniteDuration());
  EXPECT_EQ(queue.Pop()->arena, 1u);
  EXPECT_EQ(queue.Pop()->arena, 2u);
}

TEST(EventQueueTest, ADeadlineRunsInTheQueueToo) {
  EventQueue queue;
  queue.Push({.kind = Kind::kTarget, .within = absl::Hours(1)});
  absl::SleepFor(absl::Milliseconds(5));
  const std::optional<SessionEvent> event = queue.Pop();
  EXPECT_LE(event->within, absl::Hours(1) - absl::Milliseconds(5));
  EXPECT_GT(event->within, absl::Minutes(59));
  queue.Push({.kind = Kind::kTarget, .within = absl::Nanoseconds(1)});
  EXPECT_EQ(queue.Pop()->within, absl::ZeroDuration()) << "it has passed";
}

}  // namespace
}  // namespace kvbroker
