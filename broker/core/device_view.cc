#include "broker/core/device_view.h"

#include <algorithm>

namespace kvbroker {
namespace {

// A process that dies with 100 GiB mapped in small extents frees them over some two seconds, and only then shows as
// ended: for so long, and some more, others seem to use less than they do.
constexpr absl::Duration kOthersWindow = absl::Seconds(10);

}  // namespace

void DeviceView::Sample(Bytes total, Bytes free, absl::Time now, const Books& books) {
  sampled_ = true;
  total_ = total;
  free_ = free;
  // Ours is at most what the books say, so the rest is others' for sure; more may be, while bytes are on their way
  // back.
  others_now_ = MinusOrZero(MinusOrZero(total, free), books.present);
  if (!lately_.empty()) lately_.back().until = now;
  while (!lately_.empty() && lately_.back().bytes <= others_now_) lately_.pop_back();
  lately_.push_back({.until = now, .bytes = others_now_});
  while (lately_.front().until < now - kOthersWindow) lately_.pop_front();
}

void DeviceView::Adopted(Bytes bytes) {
  others_now_ = MinusOrZero(others_now_, bytes);
  for (Others& others : lately_) others.bytes = MinusOrZero(others.bytes, bytes);
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
