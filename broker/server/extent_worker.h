#ifndef KVBROKER_BROKER_SERVER_EXTENT_WORKER_H_
#define KVBROKER_BROKER_SERVER_EXTENT_WORKER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <thread>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/unique_fd.h"
#include "common/device/device.h"
#include "common/device/extent.h"

namespace kvbroker {

// One slot's memory while it is the broker's: for each plane the extent, and the descriptor that will be handed over.
struct MadeSlot {
  std::vector<Extent> extents;
  std::vector<UniqueFd> fds;
};

// The one thread that calls the device for the broker: creates and exports extents, releases them, looks at the memory.
// Slow calls happen here and nowhere else. Making comes in parts, turn by turn between leases, so that a client maps
// the first slots while the next are made. What is to be let go of rests for some milliseconds; then, after each
// part or look, about as much is let go of as a part makes: neither waits for the other for longer than that.
//
// Descriptors of slots that nobody fetches are bounded: where their numbers reach the bound, slots fail for want of
// descriptors (RESOURCE_EXHAUSTED) until others are fetched, and those above the bound are left to connections.
//
// Results are delivered on the worker's thread, in the order in which the device was used. Thread-safe.
class ExtentWorker {
 public:
  struct Results {
    std::function<void(LeaseId, std::vector<MadeSlot>)> made;
    // So many slots of the lease could not be made.
    std::function<void(LeaseId, uint64_t slots, absl::Status)> failed;
    std::function<void(absl::StatusOr<DeviceMemory>)> sampled;
  };

  // `device` is not owned and must outlive this. The numbers of slots' descriptors stay below `descriptor_bound`.
  ExtentWorker(Device& device, int descriptor_bound, Results results);
  // Drops what is still to be made, lets go of all it was given, and joins its thread.
  ~ExtentWorker();

  void Make(LeaseId lease, const std::vector<Bytes>& planes, uint64_t slots) ABSL_LOCKS_EXCLUDED(mu_);
  void Dispose(std::vector<MadeSlot> slots) ABSL_LOCKS_EXCLUDED(mu_);
  void Sample() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct MakeJob {
    LeaseId lease;
    std::vector<Bytes> planes;
    uint64_t slots = 0;       // still to be made
    uint64_t made_slots = 0;  // in the parts before
  };
  struct SampleJob {};
  using Job = std::variant<MakeJob, SampleJob>;

  void Run();
  void Do(Job job) ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<MadeSlot> TakeGarbagePart() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Makes a part of the job; true where some of it is left.
  bool MakePart(MakeJob& job);
  absl::StatusOr<MadeSlot> MakeSlot(const std::vector<Bytes>& planes);
  absl::Status CheckBound(int fd);

  Device& device_;  // Not owned; must outlive this.
  const int descriptor_bound_;
  const Results results_;

  absl::Mutex mu_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mu_);
  std::deque<MadeSlot> garbage_ ABSL_GUARDED_BY(mu_);
  absl::Time garbage_due_ ABSL_GUARDED_BY(mu_);
  bool sample_queued_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  bool warned_ = false;  // of too few descriptors; the thread's own

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_EXTENT_WORKER_H_
