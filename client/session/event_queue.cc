#include "client/session/event_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace kvbroker {

EventQueue::EventQueue() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void EventQueue::Push(SessionEvent event) {
  absl::MutexLock lock(&mu_);
  for (SessionEvent& queued : events_) {
    if (queued.kind == event.kind && queued.arena == event.arena) {
      queued = std::move(event);
      return;
    }
  }
  events_.push_back(std::move(event));
  const uint64_t one = 1;
  if (events_.size() == 1) [[maybe_unused]]
    const ssize_t n = write(fd_.get(), &one, sizeof(one));
}

std::optional<SessionEvent> EventQueue::Pop() {
  absl::MutexLock lock(&mu_);
  if (events_.empty()) return std::nullopt;
  SessionEvent event = std::move(events_.front());
  events_.pop_front();
  if (events_.empty()) {
    uint64_t count;
    [[maybe_unused]] const ssize_t n = read(fd_.get(), &count, sizeof(count));
  }
  return event;
}

}  // namespace kvbroker
