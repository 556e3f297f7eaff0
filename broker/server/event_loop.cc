#include "broker/server/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/synchronization/notification.h"
#include "common/base/clock.h"
#include "common/base/status.h"

namespace kvbroker {

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return ErrnoToStatus(errno, "epoll_create1");
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return ErrnoToStatus(errno, "eventfd");
  const int wake_fd = wake.get();
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(epoll), std::move(wake)));
  KVB_RETURN_IF_ERROR(loop->Watch(wake_fd, [wake_fd] {
    uint64_t count;
    [[maybe_unused]] const ssize_t n = read(wake_fd, &count, sizeof(count));
  }));
  return loop;
}

EventLoop::EventLoop(UniqueFd epoll, UniqueFd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

void EventLoop::Run() {
  std::vector<epoll_event> events(64);
  while (!stopping_) {
    const int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), WaitMilliseconds());
    for (int i = 0; i < n; ++i) {
      // Looked up anew each time: a callback may have unwatched a descriptor that is ready too.
      const auto it = watched_.find(events[static_cast<size_t>(i)].data.fd);
      if (it == watched_.end()) continue;
      const std::shared_ptr<Task> ready = it->second;
      (*ready)();
    }
    RunPosted();
    RunTimers();
  }
  // What was posted until now is still done; from here on nothing is taken.
  {
    absl::MutexLock lock(&mu_);
    ended_ = true;
  }
  RunPosted();
}

void EventLoop::Stop() {
  Post([this] { stopping_ = true; });
}

absl::Status EventLoop::Watch(int fd, Task ready) {
  epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return ErrnoToStatus(errno, "epoll_ctl");
  watched_[fd] = std::make_shared<Task>(std::move(ready));
  return absl::OkStatus();
}

void EventLoop::Unwatch(int fd) {
  if (watched_.erase(fd) > 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::At(absl::Time when, Task task) {
  const TimerId id = next_timer_++;
  timers_.emplace(std::make_pair(when, id), std::move(task));
  return id;
}

void EventLoop::Cancel(TimerId timer) {
  const auto it =
      std::find_if(timers_.begin(), timers_.end(), [timer](const auto& entry) { return entry.first.second == timer; });
  if (it != timers_.end()) timers_.erase(it);
}

void EventLoop::Post(Task task) {
  {
    absl::MutexLock lock(&mu_);
    if (ended_) return;
    posted_.push_back(std::move(task));
    if (posted_.size() > 1) return;  // whoever came first has woken the loop
  }
  WakeUp();
}

bool EventLoop::Call(absl::FunctionRef<void()> task) {
  absl::Notification done;
  {
    absl::MutexLock lock(&mu_);
    if (ended_) return false;
    posted_.push_back([&] {
      task();
      done.Notify();
    });
  }
  WakeUp();
  done.WaitForNotification();
  return true;
}

void EventLoop::WakeUp() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(wake_.get(), &one, sizeof(one));
}

void EventLoop::RunPosted() {
  std::vector<Task> tasks;
  {
    absl::MutexLock lock(&mu_);
    tasks.swap(posted_);
  }
  for (Task& task : tasks) task();
}

void EventLoop::RunTimers() {
  const absl::Time now = MonotonicNow();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    const Task task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
  }
}

int EventLoop::WaitMilliseconds() const {
  if (timers_.empty()) return -1;
  const absl::Duration until = timers_.begin()->first.first - MonotonicNow();
  if (until <= absl::ZeroDuration()) return 0;
  return static_cast<int>(
      std::min<int64_t>(absl::ToInt64Milliseconds(absl::Ceil(until, absl::Milliseconds(1))), 60'000));
}

}  // namespace kvbroker
