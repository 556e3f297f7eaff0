#ifndef KVBROKER_TESTS_REPLAY_SHARE_METER_H_
#define KVBROKER_TESTS_REPLAY_SHARE_METER_H_

#include <vector>

#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker::replay {

// How much a tenant had of what it needed while it was busy, from looks at it. Thread-compatible.
class ShareMeter {
 public:
  // One look; what it saw counts until the next. Of what is held only what is needed counts. REQUIRES: `at` never
  // falls.
  void Look(absl::Duration at, bool busy, Bytes held, Bytes needed);

  // Byte-seconds.
  double held() const { return held_; }
  double needed() const { return needed_; }

 private:
  absl::Duration last_;
  double held_now_ = 0;
  double needed_now_ = 0;
  double held_ = 0;
  double needed_ = 0;
};

// How evenly these are spread: 1 where all are alike, 1/n where one has everything; 1 where there are none.
double JainIndex(const std::vector<double>& values);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_SHARE_METER_H_
