#include "broker/core/target_watch.h"

#include <algorithm>

namespace kvbroker {

namespace {

// As many asks, each for more than the one before, are kept apart.
constexpr size_t kMostAsks = 16;

}  // namespace

void TargetWatch::Tell(std::optional<Bytes> max, absl::Duration within, Bytes held, absl::Time now) {
  max_ = max;
  ++revision_;
  if (max.has_value() && held > *max) return AskFor(*max, within, now);
  if (!asked()) return;
  withdrawn_ = now;
  withdrawn_after_ = asked_for(now);
  while (asked()) EndOldest(now);  // what was never answered is no answer
}

void TargetWatch::AskFor(Bytes max, absl::Duration within, absl::Time now) {
  if (!asked() || max < asks_.back().max) {
    const absl::Time deadline = within > absl::ZeroDuration() ? now + within : absl::InfiniteFuture();
    for (Ask& ask : asks_) ask.deadline = std::min(ask.deadline, deadline);
    if (asks_.size() == kMostAsks) asks_.pop_back();
    asks_.push_back({.max = max, .since = now, .deadline = deadline});
    return;
  }
  // Less is asked than was: who was asked for more, was asked for this as well.
  Ask ask = asks_.back();
  for (; asked() && asks_.back().max <= max; asks_.pop_back()) ask = asks_.back();
  ask.max = max;
  asks_.push_back(ask);
}

void TargetWatch::EndOldest(absl::Time now) {
  if (asks_.front().missed) was_late_until_ = now;
  asks_.pop_front();
}

absl::Duration TargetWatch::UnansweredFor(absl::Time then, absl::Time now) const {
  return std::max(asked_for(now), withdrawn_ >= then ? withdrawn_after_ : absl::ZeroDuration());
}

void TargetWatch::Repeat(absl::Duration within, absl::Time now) {
  ++revision_;
  if (!IsSooner(within, now)) return;
  for (Ask& ask : asks_) ask.deadline = std::min(ask.deadline, now + within);
}

absl::Duration TargetWatch::within(absl::Time now) const {
  if (!asked() || asks_.back().deadline == absl::InfiniteFuture()) return absl::ZeroDuration();
  return std::max(asks_.back().deadline - now, absl::Milliseconds(1));
}

bool TargetWatch::IsSooner(absl::Duration within, absl::Time now) const {
  return asked() && !asks_.back().missed && within > absl::ZeroDuration() &&
         now + within < asks_.back().deadline - absl::Milliseconds(50);
}

bool TargetWatch::Holds(Bytes held, absl::Time now) {
  const bool was_asked = asked();
  while (asked() && held <= asks_.front().max) {
    answers_.push_back(now - asks_.front().since);
    if (answers_.size() > kAnswers) answers_.pop_front();
    EndOldest(now);
  }
  return was_asked && !asked();
}

bool TargetWatch::MissedSince(absl::Time now) {
  const bool was_late = missed();
  for (Ask& ask : asks_) ask.missed = ask.missed || now >= ask.deadline;
  if (was_late || !missed()) return false;
  ++misses_;
  return true;
}

void TargetWatch::Extend(absl::Duration gap) {
  was_late_until_ += gap;
  withdrawn_ += gap;
  for (Ask& ask : asks_) {
    ask.since += gap;
    ask.deadline += gap;
  }
}

absl::Duration TargetWatch::response() const {
  return answers_.empty() ? absl::ZeroDuration() : *std::max_element(answers_.begin(), answers_.end());
}

}  // namespace kvbroker
