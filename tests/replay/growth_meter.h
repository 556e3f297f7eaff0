#ifndef KVBROKER_TESTS_REPLAY_GROWTH_METER_H_
#define KVBROKER_TESTS_REPLAY_GROWTH_METER_H_

#include <deque>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker::replay {

// How fast memory came, from looks at an arena.
//
// Time counts as growing from one look to the next where memory was on its way at the first or came until the second:
// the mean is what the broker and the client reach together, not what the load asked for. Thread-compatible.
class GrowthMeter {
 public:
  // One look: what was ever mapped until `at`, and whether granted memory is on its way. REQUIRES: `at` and `mapped`
  // never fall.
  void Look(absl::Duration at, Bytes mapped, bool on_its_way);

  Bytes mapped() const { return last_ ? last_->mapped : Bytes(); }
  absl::Duration growing() const { return growing_; }
  // Bytes a second while growing; 0 where nothing grew.
  double mean_rate() const;
  // Bytes a second in the best stretch of kWindow.
  double best_rate() const { return best_; }

 private:
  static constexpr absl::Duration kWindow = absl::Milliseconds(100);

  struct Sample {
    absl::Duration at;
    Bytes mapped;
    bool on_its_way = false;
  };

  std::optional<Sample> last_;
  absl::Duration growing_;
  Bytes grown_;  // while growing
  std::deque<std::pair<absl::Duration, Bytes>> window_;
  double best_ = 0;
};

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_GROWTH_METER_H_
