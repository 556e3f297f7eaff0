#ifndef KVBROKER_TESTS_SIM_TIMELINE_H_
#define KVBROKER_TESTS_SIM_TIMELINE_H_

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "absl/time/time.h"
#include "tests/sim/rng.h"

namespace kvbroker::sim {

// Virtual time, and what will happen in it. Things of the same moment happen in the order in which they were planned.
// Thread-compatible.
class Timeline {
 public:
  using Task = std::function<void()>;

  absl::Time now() const { return now_; }
  void After(absl::Duration delay, Task task);
  // Does the next thing; false where there is none.
  bool Next();
  bool empty() const { return planned_.empty(); }

 private:
  struct Planned {
    absl::Time at;
    uint64_t order;
    Task task;
  };
  struct Later {
    bool operator()(const Planned& a, const Planned& b) const { return a.at != b.at ? a.at > b.at : a.order > b.order; }
  };

  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  uint64_t next_ = 0;
  std::priority_queue<Planned, std::vector<Planned>, Later> planned_;
};

// One direction of a connection: what is sent arrives in order, each after a delay of its own. Nothing orders two
// channels with each other. Thread-compatible.
class Channel {
 public:
  // Neither is owned; both must outlive this.
  Channel(Timeline& timeline, Rng& rng, absl::Duration longest) : timeline_(timeline), rng_(rng), longest_(longest) {}

  void Send(Timeline::Task arrive);

 private:
  Timeline& timeline_;
  Rng& rng_;
  absl::Duration longest_;
  absl::Time last_;
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_TIMELINE_H_
