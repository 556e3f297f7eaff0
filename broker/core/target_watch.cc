#include "broker/core/target_watch.h"

#include <algorithm>

namespace kvbroker {

void TargetWatch::Tell(std::optional<Bytes> max, absl::Duration within, Bytes held, absl::Time now) {
  const bool asks_for_more = max.has_value() && held > *max && (!max_.has_value() || *max < *max_ || !asked());
  max_ = max;
  ++revision_;
  if (asks_for_more) {
    if (!asked()) asked_since_ = now;
    deadline_ = within > absl::ZeroDuration() ? now + within : absl::InfiniteFuture();
    missed_ = false;
  }
  if (!max.has_value() || held <= *max) {
    // Nothing is asked any more; what was never answered is no answer.
    asked_since_.reset();
    missed_ = false;
  }
}

void TargetWatch::Repeat(absl::Duration within, absl::Time now) {
  ++revision_;
  if (IsSooner(within, now)) deadline_ = now + within;
}

absl::Duration TargetWatch::within(absl::Time now) const {
  if (!asked() || deadline_ == absl::InfiniteFuture()) return absl::ZeroDuration();
  return std::max(deadline_ - now, absl::Milliseconds(1));
}

bool TargetWatch::IsSooner(absl::Duration within, absl::Time now) const {
  return asked() && !missed_ && within > absl::ZeroDuration() && now + within < deadline_ - absl::Milliseconds(50);
}

bool TargetWatch::Holds(Bytes held, absl::Time now) {
  if (!asked() || held > *max_) return false;
  answers_.push_back(now - *asked_since_);
  if (answers_.size() > kAnswers) answers_.pop_front();
  asked_since_.reset();
  missed_ = false;
  return true;
}

bool TargetWatch::MissedSince(absl::Time now) {
  if (!asked() || missed_ || now < deadline_) return false;
  missed_ = true;
  missed_at_ = now;
  ++misses_;
  return true;
}

void TargetWatch::Extend(absl::Duration gap) {
  deadline_ += gap;
  missed_at_ += gap;
  if (asked()) *asked_since_ += gap;
}

absl::Duration TargetWatch::response() const {
  return answers_.empty() ? absl::ZeroDuration() : *std::max_element(answers_.begin(), answers_.end());
}

}  // namespace kvbroker
