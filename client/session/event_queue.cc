#include "client/session/event_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/base/clock.h"

namespace kvbroker {

EventQueue::EventQueue() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void EventQueue::Push(SessionEvent event) {
  const absl::Time now = MonotonicNow();
  absl::MutexLock lock(&mu_);
  for (Queued& queued : events_) {
    if (queued.event.kind == event.kind && queued.event.arena == event.arena) {
      queued = {.event = std::move(event), .since = now};
      return;
    }
  }
  events_.push_back({.event = std::move(event), .since = now});
  const uint64_t one = 1;
  if (events_.size() == 1) [[maybe_unused]]
    const ssize_t n = write(fd_.get(), &one, sizeof(one));
}

std::optional<SessionEvent> EventQueue::Pop() {
  absl::MutexLock lock(&mu_);
  if (events_.empty()) return std::nullopt;
  SessionEvent event = std::move(events_.front().event);
  event.within = std::max(event.within - (MonotonicNow() - events_.front().since), absl::ZeroDuration());
  events_.pop_front();
  if (events_.empty()) {
    uint64_t count;
    [[maybe_unused]] const ssize_t n = read(fd_.get(), &count, sizeof(count));
  }
  return event;
}

}  // namespace kvbroker
