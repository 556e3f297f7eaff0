#include "broker/core/due_watch.h"

#include <algorithm>

namespace kvbroker {

void DueWatch::Set(Bytes due, Bytes held, absl::Time now) {
  levels_.back().until = now;
  if (held < held_) Add({.due = held, .until = now});
  held_ = held;
  Add({.due = due, .until = absl::InfiniteFuture()});
}

void DueWatch::Add(const Level& level) {
  while (!levels_.empty() && levels_.back().due >= level.due) levels_.pop_back();
  if (levels_.size() < kMostLevels) {
    levels_.push_back(level);
  } else {
    levels_.back().until = level.until;
  }
}

Bytes DueWatch::DueThroughout(absl::Duration deadline, absl::Time now) {
  while (levels_.size() > 1 && levels_.front().until <= now - deadline) levels_.pop_front();
  return levels_.front().due;
}

void DueWatch::Extend(absl::Duration gap) {
  for (Level& level : levels_) level.until += gap;
}

}  // namespace kvbroker
