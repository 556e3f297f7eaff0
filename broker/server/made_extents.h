#ifndef KVBROKER_BROKER_SERVER_MADE_EXTENTS_H_
#define KVBROKER_BROKER_SERVER_MADE_EXTENTS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "broker/server/extent_worker.h"
#include "common/base/ids.h"

namespace kvbroker {

// The memory that is the broker's for now: slots made and not yet handed over, and batches handed over and not yet
// confirmed. It follows the arbiter's effects and decides nothing. Thread-compatible.
class MadeExtents {
 public:
  void Add(LeaseId lease, std::vector<MadeSlot> slots);

  // Moves `slots` made slots into `batch` and returns the descriptors to send, which stay owned here.
  // REQUIRES: so many are made, and no batch of the lease is out.
  std::vector<int> StartBatch(LeaseId lease, BatchId batch, uint64_t slots);
  // The batch's memory, for letting go of. Empty where the lease has no such batch.
  std::vector<MadeSlot> TakeBatch(LeaseId lease, BatchId batch);
  // The newest made slots, for letting go of. REQUIRES: so many are made.
  std::vector<MadeSlot> TakeMade(LeaseId lease, uint64_t slots);

 private:
  struct OfLease {
    std::deque<MadeSlot> made;
    BatchId batch;
    std::vector<MadeSlot> out;

    bool empty() const { return made.empty() && out.empty(); }
  };

  std::map<LeaseId, OfLease> leases_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_MADE_EXTENTS_H_
