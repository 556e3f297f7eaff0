#include "broker/server/event_loop.h"

#include <sys/eventfd.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/base/clock.h"
#include "common/base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

UniqueFd Readable() { return UniqueFd(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)); }

class EventLoopTest : public ::testing::Test {
 protected:
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  std::vector<int> seen_;
};

TEST_F(EventLoopTest, TimersComeByTheirTimeAndThoseOfOneTimeByTheirOrder) {
  const absl::Time soon = MonotonicNow() + absl::Milliseconds(5);
  loop_->At(soon + absl::Milliseconds(5), [&] {
    seen_.push_back(4);
    loop_->Stop();
  });
  loop_->At(soon, [&] { seen_.push_back(2); });
  loop_->At(soon, [&] { seen_.push_back(3); });
  loop_->At(absl::InfinitePast(), [&] { seen_.push_back(1); });
  loop_->Run();
  EXPECT_THAT(seen_, ElementsAre(1, 2, 3, 4));
  EXPECT_GE(MonotonicNow(), soon + absl::Milliseconds(5));
}

TEST_F(EventLoopTest, ACancelledTimerDoesNotCome) {
  const absl::Time now = MonotonicNow();
  EventLoop::TimerId second = 0;
  loop_->At(now, [&] { loop_->Cancel(second); });
  second = loop_->At(now, [&] { seen_.push_back(2); });
  loop_->Cancel(loop_->At(now, [&] { seen_.push_back(3); }));
  loop_->Cancel(4711);  // none: nothing happens
  loop_->At(now + absl::Milliseconds(1), [&] { loop_->Stop(); });
  loop_->Run();
  EXPECT_THAT(seen_, IsEmpty());
}

TEST_F(EventLoopTest, PostedTasksAreDoneInOrderThoseOfOtherThreadsToo) {
  std::thread thread([&] {
    for (int i = 0; i < 3; ++i) loop_->Post([&, i] { seen_.push_back(i); });
    loop_->Post([&] { loop_->Post([&] { loop_->Stop(); }); });
  });
  loop_->Run();
  thread.join();
  EXPECT_THAT(seen_, ElementsAre(0, 1, 2));
}

TEST_F(EventLoopTest, WhatIsPostedBeforeTheEndIsDoneAndNothingAfterIt) {
  loop_->Stop();
  loop_->Post([&] { seen_.push_back(1); });
  loop_->Run();
  loop_->Post([&] { seen_.push_back(2); });
  EXPECT_THAT(seen_, ElementsAre(1));
}

TEST_F(EventLoopTest, CallWaitsForItsTaskAndIsRefusedAfterTheEnd) {
  std::thread thread([&] { loop_->Run(); });
  EXPECT_TRUE(loop_->Call([&] { seen_.push_back(1); }));
  EXPECT_THAT(seen_, ElementsAre(1));
  loop_->Stop();
  thread.join();
  EXPECT_FALSE(loop_->Call([&] { seen_.push_back(2); }));
  EXPECT_THAT(seen_, ElementsAre(1));
}

TEST_F(EventLoopTest, AReadableDescriptorCallsUntilItIsUnwatched) {
  const UniqueFd fd = Readable();
  ASSERT_TRUE(loop_
                  ->Watch(fd.get(),
                          [&] {
                            seen_.push_back(1);
                            if (seen_.size() < 3) return;
                            loop_->Unwatch(fd.get());
                            loop_->Stop();
                          })
                  .ok());
  loop_->Run();
  EXPECT_THAT(seen_, ElementsAre(1, 1, 1));
}

TEST_F(EventLoopTest, ADescriptorThatACallbackUnwatchesIsNotCalledThoughItIsReady) {
  const UniqueFd a = Readable();
  const UniqueFd b = Readable();
  const auto unwatch_both = [&] {
    seen_.push_back(1);
    loop_->Unwatch(a.get());
    loop_->Unwatch(b.get());
    loop_->Unwatch(a.get());  // again: nothing happens
    loop_->Stop();
  };
  ASSERT_TRUE(loop_->Watch(a.get(), unwatch_both).ok());
  ASSERT_TRUE(loop_->Watch(b.get(), unwatch_both).ok());
  loop_->Run();
  EXPECT_THAT(seen_, ElementsAre(1));
}

TEST_F(EventLoopTest, ACallbackOutlivesItsOwnUnwatching) {
  const UniqueFd fd = Readable();
  const auto kept = std::make_shared<int>(7);
  ASSERT_TRUE(loop_
                  ->Watch(fd.get(),
                          [this, &fd, kept] {
                            loop_->Unwatch(fd.get());
                            seen_.push_back(*kept);
                            loop_->Stop();
                          })
                  .ok());
  loop_->Run();
  EXPECT_THAT(seen_, ElementsAre(7));
}

TEST_F(EventLoopTest, WatchRefusesWhatIsNoDescriptor) {
  EXPECT_FALSE(loop_->Watch(-1, [] {}).ok());
}

}  // namespace
}  // namespace kvbroker
