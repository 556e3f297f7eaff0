#include "broker/core/device_view.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace kvbroker {
namespace {

// A process that dies with 100 GiB mapped in small extents frees them over some two seconds, and only then shows as
// ended: for so long, and some more, others seem to use less than they do.
constexpr absl::Duration kOthersWindow = absl::Seconds(10);

// What was let go of is free within milliseconds, or those two seconds.
constexpr absl::Duration kReturnTakesAtMost = absl::Seconds(5);

}  // namespace

void DeviceView::Sample(Bytes total, Bytes free, absl::Time now, const Books& books) {
  if (!std::exchange(sampled_, true)) first_look_ = now;
  last_look_ = now;
  total_ = total;
  free_ = free;
  // Ours is at most what the books say, so the rest is others' for sure; more may be, while bytes are on their way
  // back.
  const Bytes used = MinusOrZero(total, free);
  others_now_ = MinusOrZero(used, books.present);
  Remember(others_, others_now_, kOthersWindow, std::greater_equal<>());
  Remember(unheld_, MinusOrZero(used, books.present - books.returned), kReturnTakesAtMost, std::less_equal<>());
}

template <typename Outdoes>
void DeviceView::Remember(std::deque<Seen>& seen, Bytes bytes, absl::Duration window, Outdoes outdoes) {
  if (!seen.empty()) seen.back().until = last_look_;
  while (!seen.empty() && outdoes(bytes, seen.back().bytes)) seen.pop_back();
  seen.push_back({.until = last_look_, .bytes = bytes});
  while (seen.front().until < last_look_ - window) seen.pop_front();
}

void DeviceView::WroteOff(const Books& books) {
  others_now_ = MinusOrZero(MinusOrZero(total_, free_), books.present);
  Remember(others_, others_now_, kOthersWindow, std::greater_equal<>());
}

void DeviceView::Adopted(Bytes bytes) {
  others_now_ = MinusOrZero(others_now_, bytes);
  for (Seen& others : others_) others.bytes = MinusOrZero(others.bytes, bytes);
  for (Seen& unheld : unheld_) unheld.bytes = MinusOrZero(unheld.bytes, bytes);
}

Bytes DeviceView::Unlent(const Books& books) const {
  return sampled_ ? MinusOrZero(free_, options_.headroom + (books.charged - books.present)) : Bytes();
}

Bytes DeviceView::Available(const Books& books) const {
  const Bytes unlent = Unlent(books);
  return options_.cap.has_value() ? std::min(unlent, MinusOrZero(*options_.cap, books.charged)) : unlent;
}

Bytes DeviceView::CapacityOfDevice(const Books& books) const {
  return MinusOrZero(books.present + free_, options_.headroom);
}

Bytes DeviceView::Capacity(const Books& books) const {
  const Bytes device = CapacityOfDevice(books);
  return options_.cap.has_value() ? std::min(device, *options_.cap) : device;
}

Bytes DeviceView::Overdrawn(const Books& books) const {
  return sampled_ ? MinusOrZero(options_.headroom + (books.charged - books.present), free_) : Bytes();
}

Bytes DeviceView::OthersSince(absl::Time then) const {
  for (const Seen& seen : others_) {
    if (seen.until > then) return seen.bytes;
  }
  return others_now_;
}

DeviceView::Returned DeviceView::SeenReturned(const Books& books) const {
  if (!sampled_) return {};
  const Bytes others = others_.front().bytes;
  const Bytes must_be_there = books.present - books.returned + others;
  const Bytes used = total_ - std::min(free_, total_);
  const Bytes still_out = std::min(MinusOrZero(used, must_be_there), books.returned);
  Returned returned = {.free = books.returned - still_out};
  if (last_look_ - first_look_ >= kReturnTakesAtMost) {
    returned.of_others = std::min(MinusOrZero(unheld_.front().bytes, others), still_out);
  }
  return returned;
}

}  // namespace kvbroker
