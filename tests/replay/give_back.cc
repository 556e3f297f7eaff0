#include "tests/replay/give_back.h"

#include <algorithm>

#include "common/base/status.h"

namespace kvbroker::replay {
namespace {

// So many are verified and let go of at a time: soon enough for whoever waits for them.
constexpr uint64_t kBatch = 16;

}  // namespace

absl::Status GiveBack::Act(absl::Duration now) {
  const bool answers = IsTimeToAnswer(now);
  store_.SetShrinking(answers);
  if (!answers) return absl::OkStatus();
  while (true) {
    while (Excess() > 0) {
      KVB_ASSIGN_OR_RETURN(const uint64_t evicted, store_.EvictSlots(std::min(Excess(), kBatch)));
      if (evicted == 0) break;
    }
    if (Excess() == 0 || !IsPressing(now) || engine_.running() == 0) return absl::OkStatus();
    KVB_RETURN_IF_ERROR(engine_.PreemptForTarget(now));
  }
}

bool GiveBack::IsTimeToAnswer(absl::Duration now) const {
  const std::optional<absl::Duration> since = log_.asked_since();
  return !options_.never && since && now - *since >= options_.after;
}

bool GiveBack::IsPressing(absl::Duration now) const {
  return log_.target().urgent || log_.target().by - now <= kMargin;
}

uint64_t GiveBack::Excess() const {
  if (!log_.target().max) return 0;
  const uint64_t most = *log_.target().max / store_.pool().layout().slot();
  return store_.pool().slots_taken() - std::min(store_.pool().slots_taken(), most);
}

}  // namespace kvbroker::replay
