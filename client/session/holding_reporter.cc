#include "client/session/holding_reporter.h"

#include <algorithm>
#include <utility>

namespace kvbroker {

v1::Holding HoldingOf(uint64_t arena_id, Bytes mapped, Bytes spare, const HoldingReport& report,
                      uint64_t target_revision) {
  v1::Holding holding;
  holding.set_arena_id(arena_id);
  holding.set_target_revision_seen(target_revision);
  holding.set_mapped(mapped.in_bytes());
  holding.set_spare(spare.in_bytes());
  holding.set_free(report.free.in_bytes());
  for (const Bytes cached : report.cached_by_age) holding.add_cached_by_age(cached.in_bytes());
  holding.set_compactable(report.compactable.in_bytes());
  holding.set_preemptible(report.preemptible.in_bytes());
  holding.set_pinned(report.pinned.in_bytes());
  holding.set_response_ms(static_cast<uint32_t>(
      std::min<int64_t>(absl::ToInt64Milliseconds(absl::Ceil(report.response, absl::Milliseconds(1))), UINT32_MAX)));
  holding.set_refault_bytes(report.refault.in_bytes());
  return holding;
}

bool HoldingReporter::IsDue(const v1::Holding& holding, absl::Time now) {
  const bool holds = holding.mapped() > 0;
  held_back_ = false;
  next_ = absl::InfiniteFuture();
  if (!holds && told_.empty()) return false;  // the broker takes it for nothing anyway
  std::string bytes = holding.SerializeAsString();
  const bool changed = bytes != told_;
  if (!holds && !changed) return false;
  const absl::Time due = told_at_ + (changed ? kPause : kRepeat);
  if (now < due) {
    held_back_ = changed;
    next_ = due;
    return false;
  }
  told_ = std::move(bytes);
  told_at_ = now;
  if (holds) next_ = now + kRepeat;
  return true;
}

}  // namespace kvbroker
