#include "tests/replay/holding.h"

#include <algorithm>
#include <array>

namespace kvbroker::replay {
namespace {

constexpr std::array<absl::Duration, HoldingReport::kAgeClasses - 1> kBounds = {
    absl::Seconds(1), absl::Seconds(4),  absl::Seconds(16), absl::Minutes(1),
    absl::Minutes(4), absl::Minutes(16), absl::Hours(1)};

}  // namespace

size_t AgeClassOf(absl::Duration age) {
  return static_cast<size_t>(std::lower_bound(kBounds.begin(), kBounds.end(), age) - kBounds.begin());
}

HoldingReport HoldingOf(const BlockStore& store, absl::Duration now) {
  HoldingReport report;
  const Bytes slot_bytes = store.pool().layout().slot();
  const auto& cached = store.cache().by_slot();
  for (const auto& [slot, blocks_out] : store.pool().UseBySlot()) {
    const auto it = cached.find(slot);
    const bool all_cached = it != cached.end() && it->second.blocks == blocks_out;
    Bytes& of_class = all_cached ? report.cached_by_age[AgeClassOf(now - it->second.last_use)] : report.preemptible;
    of_class += slot_bytes;
  }
  return report;
}

HoldingReport PretendedHoldingOf(const BlockStore& store) {
  HoldingReport report;
  report.cached_by_age.back() = store.pool().layout().slot() * store.pool().slots_taken();
  return report;
}

bool SameHolding(const HoldingReport& a, const HoldingReport& b) {
  return a.free == b.free && a.cached_by_age == b.cached_by_age && a.compactable == b.compactable &&
         a.preemptible == b.preemptible && a.pinned == b.pinned && a.refault == b.refault;
}

}  // namespace kvbroker::replay
