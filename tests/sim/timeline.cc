#include "tests/sim/timeline.h"

#include <algorithm>
#include <utility>

namespace kvbroker::sim {

void Timeline::After(absl::Duration delay, Task task) {
  planned_.push({.at = now_ + delay, .order = next_++, .task = std::move(task)});
}

bool Timeline::Next() {
  if (planned_.empty()) return false;
  const Planned next = planned_.top();
  planned_.pop();
  now_ = next.at;
  next.task();
  return true;
}

void Channel::Send(Timeline::Task arrive) {
  last_ = std::max(last_, timeline_.now() + rng_.UpTo(longest_));
  timeline_.After(last_ - timeline_.now(), std::move(arrive));
}

}  // namespace kvbroker::sim
