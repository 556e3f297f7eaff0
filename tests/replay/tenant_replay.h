#ifndef KVBROKER_TESTS_REPLAY_TENANT_REPLAY_H_
#define KVBROKER_TESTS_REPLAY_TENANT_REPLAY_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "tests/replay/arena_slots.h"
#include "tests/replay/block_pool.h"
#include "tests/replay/block_store.h"
#include "tests/replay/engine.h"
#include "tests/replay/give_back.h"
#include "tests/replay/growth_meter.h"
#include "tests/replay/messages.h"
#include "tests/replay/metered_pattern.h"
#include "tests/replay/monotonic.h"
#include "tests/replay/options.h"
#include "tests/replay/pattern.h"
#include "tests/replay/request.h"
#include "tests/replay/share_meter.h"
#include "tests/replay/target_log.h"

namespace kvbroker::replay {

// Drives one engine in real time over one arena; tells the broker what it holds, answers its targets, and measures.
// Thread-bound where the pattern is.
class TenantReplay {
 public:
  // `options` are those of a tenant's process: run_as is set. `workload` is everybody's. `session`, `arena` and
  // `pattern` are not owned and must outlive this.
  TenantReplay(const Options& options, const std::vector<std::vector<Request>>& workload, const BlockLayout& layout,
               Session& session, Arena& arena, Pattern& pattern);

  // Until all requests are done, or time is over. A tenant that keeps its cache stays until everybody's requests have
  // arrived: others may want its memory. All memory is verified and given back to the arena then.
  absl::StatusOr<Result> Run(MonotonicTime start);

 private:
  absl::Duration Now() const { return MonotonicNow() - start_; }

  // Until the next step: memory that comes meanwhile goes to those that wait for it at once, so that their waiting is
  // measured as what it is.
  absl::Status PassTimeUntil(absl::Duration end);
  // The same for at most `slice`.
  absl::Status Wait(absl::Duration slice);
  // What the broker said, what is to be done about it, and what is to be said to it.
  absl::Status AttendToBroker();
  void TakeEvents(Bytes held);
  absl::Status ReportHolding();
  void Measure();
  Result Summarised();

  const Options& options_;
  const TenantOptions& own_;
  const absl::Duration stays_until_;
  const absl::Duration ends_;
  Session& session_;  // Not owned.
  Arena& arena_;      // Not owned.
  MonotonicTime start_;

  MeteredPattern pattern_;
  ArenaSlots slots_;
  BlockPool pool_;
  BlockStore store_;
  Engine engine_;
  TargetLog targets_;
  GiveBack give_back_;

  HoldingReport reported_;
  absl::Duration next_report_;
  GrowthMeter growth_;
  ShareMeter share_;
  absl::Duration next_sample_;
  Result result_;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_TENANT_REPLAY_H_
