#ifndef KVBROKER_TESTS_SIM_SIM_WORKER_H_
#define KVBROKER_TESTS_SIM_SIM_WORKER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "broker/core/event.h"
#include "common/base/ids.h"
#include "tests/sim/sim_device.h"
#include "tests/sim/timeline.h"

namespace kvbroker::sim {

// The broker's side of the device: a thread that makes, lets go and looks, one thing after the other, and what it made.
// Its results arrive late but in the order in which the device was used. Thread-compatible.
class SimWorker {
 public:
  struct Sample {
    event::DeviceSample event;
    Bytes others_grew;  // as of the look
  };
  struct Results {
    std::function<void(Event)> event;
    std::function<void(Sample)> sample;
  };

  // `device`, `timeline` and `rng` are not owned and must outlive this.
  SimWorker(SimDevice& device, Timeline& timeline, Rng& rng, absl::Duration slowest, Results results);

  void Make(LeaseId lease, Bytes slot, uint64_t slots);
  void Look(absl::Duration delay);
  // How often it looks where nothing asks for it sooner.
  void LookEvery(absl::Duration interval) { look_interval_ = interval; }
  // The slots of a batch, held once more for whoever receives it. None: so many are not made, or a batch is out.
  std::optional<std::vector<SimDevice::Slot>> StartBatch(LeaseId lease, BatchId batch, uint64_t slots);
  // False: there is no such batch.
  bool DropBatch(LeaseId lease, BatchId batch);
  // False: so many are not made.
  bool Discard(LeaseId lease, uint64_t slots);

  // Its process is killed: what it made and was taken by nobody goes, and nothing of it is heard any more. From now on
  // it is the next broker's.
  void Die();

  // What it was asked to make and has not.
  Bytes unmade() const { return unmade_; }
  // It has nothing of its own: neither made slots nor batches.
  bool holds_nothing() const { return made_.empty() && batches_.empty(); }

 private:
  struct MakeJob {
    LeaseId lease;
    Bytes slot;
    uint64_t slots = 0;
  };
  struct LookJob {};
  struct LetGoJob {
    std::vector<SimDevice::Slot> slots;
  };
  using Job = std::variant<MakeJob, LookJob, LetGoJob>;

  // Not done any more once the broker that it is of is dead.
  Timeline::Task OfThisLife(Timeline::Task task);
  void LetGoOfOwn(const std::vector<SimDevice::Slot>& slots);
  void Enqueue(Job job);
  void Work();
  void Do(MakeJob job);
  void Do(const LookJob&);
  void Do(const LetGoJob& job);

  SimDevice& device_;
  Timeline& timeline_;
  Rng& rng_;
  const absl::Duration slowest_;
  const Results results_;
  Channel to_broker_;
  uint64_t life_ = 1;  // what an earlier one asked for is nobody's
  std::deque<Job> jobs_;
  bool working_ = false;
  bool look_queued_ = false;
  absl::Duration look_interval_ = absl::Milliseconds(100);
  absl::Time next_look_ = absl::InfiniteFuture();
  Bytes unmade_;
  std::deque<std::vector<SimDevice::Slot>> arriving_;  // made, and the broker does not know yet
  std::map<LeaseId, std::vector<SimDevice::Slot>> made_;
  std::map<std::pair<LeaseId, BatchId>, std::vector<SimDevice::Slot>> batches_;
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_SIM_WORKER_H_
