#include "client/session/outside_reporter.h"

#include <algorithm>

namespace kvbroker {

void OutsideReporter::Set(Bytes bytes, Bytes trimmable) {
  absl::MutexLock lock(&mu_);
  if (newest_.has_value() && newest_->bytes() == bytes.in_bytes() && newest_->trimmable() == trimmable.in_bytes()) {
    return;
  }
  newest_.emplace();
  newest_->set_bytes(bytes.in_bytes());
  newest_->set_trimmable(trimmable.in_bytes());
  is_due_ = true;
}

void OutsideReporter::Connected(const v1::Welcome& welcome) {
  absl::MutexLock lock(&mu_);
  is_known_ = std::find(welcome.features().begin(), welcome.features().end(), "external") != welcome.features().end();
  is_due_ = newest_.has_value();
  told_at_ = absl::InfinitePast();
}

std::optional<v1::External> OutsideReporter::Take(absl::Time now) {
  absl::MutexLock lock(&mu_);
  if (!is_known_ || !is_due_ || now < told_at_ + kPause) return std::nullopt;
  is_due_ = false;
  told_at_ = now;
  newest_->set_revision(++revision_);
  return newest_;
}

absl::Time OutsideReporter::next() const {
  absl::MutexLock lock(&mu_);
  return is_known_ && is_due_ ? told_at_ + kPause : absl::InfiniteFuture();
}

}  // namespace kvbroker
