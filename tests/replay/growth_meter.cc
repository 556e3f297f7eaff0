#include "tests/replay/growth_meter.h"

#include <algorithm>

namespace kvbroker::replay {
namespace {

double Rate(Bytes bytes, absl::Duration time) {
  return static_cast<double>(bytes.in_bytes()) / absl::ToDoubleSeconds(time);
}

}  // namespace

void GrowthMeter::Look(absl::Duration at, Bytes mapped, bool on_its_way) {
  if (last_ && (last_->on_its_way || mapped > last_->mapped)) {
    growing_ += at - last_->at;
    grown_ += mapped - last_->mapped;
  }
  last_ = Sample{at, mapped, on_its_way};

  window_.emplace_back(at, mapped);
  while (window_.size() > 2 && at - window_[1].first >= kWindow) window_.pop_front();
  const auto& [start, mapped_then] = window_.front();
  if (at - start >= kWindow) best_ = std::max(best_, Rate(mapped - mapped_then, at - start));
}

double GrowthMeter::mean_rate() const { return growing_ > absl::ZeroDuration() ? Rate(grown_, growing_) : 0; }

}  // namespace kvbroker::replay
