#include "tests/replay/target_log.h"

#include <algorithm>

namespace kvbroker::replay {

void TargetLog::Told(const Target& target, Bytes held, absl::Duration now) {
  target_ = target;
  late_ = late_ && now > target.by;
  Holds(held, now);
}

void TargetLog::Holds(Bytes held, absl::Duration now) {
  if (asked_since_) least_held_ = std::min(least_held_, held);
  if (!target_.max || held <= *target_.max) {
    if (asked_since_) Answered(now);
    return;
  }
  if (!asked_since_) {
    asked_since_ = now;
    held_when_asked_ = least_held_ = held;
    ++counts_.received;
  }
  if (now > target_.by && !late_) {
    late_ = true;
    ++counts_.late;
  }
}

void TargetLog::Answered(absl::Duration now) {
  ++counts_.answered;
  answers_.push_back(now - *asked_since_);
  NoLongerAsked();
}

void TargetLog::NoLongerAsked() {
  if (asked_since_) counts_.reclaimed += held_when_asked_ - least_held_;
  asked_since_.reset();
  late_ = false;
}

void TargetLog::Forget() {
  target_ = {};
  NoLongerAsked();
}

TargetLog::Counts TargetLog::counts() const {
  Counts counts = counts_;
  if (asked_since_) counts.reclaimed += held_when_asked_ - least_held_;
  return counts;
}

absl::Duration TargetLog::usual_answer() const {
  if (answers_.empty()) return absl::ZeroDuration();
  std::vector<absl::Duration> newest(answers_.end() - static_cast<std::ptrdiff_t>(std::min(answers_.size(), kUsual)),
                                     answers_.end());
  std::sort(newest.begin(), newest.end());
  return newest[newest.size() / 2];
}

}  // namespace kvbroker::replay
