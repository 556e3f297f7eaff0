#include "broker/core/external_watch.h"

#include <algorithm>
#include <cstdint>

namespace kvbroker {

ExternalWatch::Heard ExternalWatch::Hear(uint64_t revision, Bytes bytes, Bytes trimmable) {
  if (revision <= heard_) return Heard::kNothingNew;
  heard_ = revision;
  const Bytes let_go = std::min(left_, MinusOrZero(bytes_, bytes));
  bytes_ = bytes;
  trimmable_ = std::min(trimmable, bytes);
  if (let_go.IsZero()) return Heard::kNews;
  unseen_ += let_go;
  left_ -= let_go;
  if (left_ < asked_ - left_) left_ = Bytes();
  looks_needed_ = 2;
  return Heard::kAnswer;
}

void ExternalWatch::Settle(Bytes taken, Bytes most) {
  if (heard_ == 0) bytes_ = std::min(bytes_ + std::min(taken, most), most);
}

void ExternalWatch::Ask(Bytes bytes, absl::Time now) {
  ++revision_;
  asked_ = bytes;
  left_ = bytes;
  unseen_ = Bytes();
  asked_at_ = now;
}

void ExternalWatch::Looked() {
  looks_needed_ = std::max(0, looks_needed_ - 1);
  if (looks_needed_ == 0) unseen_ = Bytes();
}

Bytes ExternalWatch::coming() const { return std::min(left_, trimmable_) + unseen_; }

}  // namespace kvbroker
