#include "broker/core/device_view.h"

#include <algorithm>

namespace kvbroker {
namespace {

constexpr absl::Duration kOthersWindow = absl::Seconds(2);

}  // namespace

void DeviceView::Sample(Bytes total, Bytes free, absl::Time now, const Books& books) {
  sampled_ = true;
  total_ = total;
  free_ = free;
  // While bytes are on their way back, what others use cannot be told from what has not arrived.
  if (!books.returned.IsZero()) return;
  others_now_ = MinusOrZero(MinusOrZero(total, free), books.present);
  while (!lately_.empty() && lately_.back().bytes <= others_now_) lately_.pop_back();
  lately_.push_back({.at = now, .bytes = others_now_});
  while (lately_.size() > 1 && lately_.front().at < now - kOthersWindow) lately_.pop_front();
}

Bytes DeviceView::Available(const Books& books) const {
  if (!sampled_) return Bytes();
  const Bytes unmade = books.charged - books.present;
  const Bytes physical = MinusOrZero(free_, options_.headroom + unmade);
  return options_.cap.has_value() ? std::min(physical, MinusOrZero(*options_.cap, books.charged)) : physical;
}

Bytes DeviceView::Capacity(const Books& books) const {
  const Bytes physical = MinusOrZero(books.present + free_, options_.headroom);
  return options_.cap.has_value() ? std::min(physical, *options_.cap) : physical;
}

Bytes DeviceView::SeenReturned(const Books& books) const {
  const Bytes others = lately_.empty() ? Bytes() : lately_.front().bytes;
  const Bytes must_be_there = books.present - books.returned + others;
  const Bytes still_out = std::min(MinusOrZero(total_ - std::min(free_, total_), must_be_there), books.returned);
  return books.returned - still_out;
}

}  // namespace kvbroker
