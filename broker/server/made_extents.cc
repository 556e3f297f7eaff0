#include "broker/server/made_extents.h"

#include <iterator>
#include <utility>

#include "common/base/check.h"

namespace kvbroker {

void MadeExtents::Add(LeaseId lease, std::vector<MadeSlot> slots) {
  std::deque<MadeSlot>& made = leases_[lease].made;
  std::move(slots.begin(), slots.end(), std::back_inserter(made));
}

std::vector<int> MadeExtents::StartBatch(LeaseId lease, BatchId batch, uint64_t slots) {
  OfLease& of = leases_[lease];
  KVB_CHECK(slots <= of.made.size() && of.out.empty(), "a batch of slots that are made, one at a time");
  std::vector<int> fds;
  of.batch = batch;
  for (uint64_t i = 0; i < slots; ++i) {
    for (const UniqueFd& fd : of.made.front().fds) fds.push_back(fd.get());
    of.out.push_back(std::move(of.made.front()));
    of.made.pop_front();
  }
  return fds;
}

std::vector<MadeSlot> MadeExtents::TakeBatch(LeaseId lease, BatchId batch) {
  const auto it = leases_.find(lease);
  if (it == leases_.end() || it->second.batch != batch) return {};
  std::vector<MadeSlot> out = std::exchange(it->second.out, {});
  if (it->second.empty()) leases_.erase(it);
  return out;
}

std::vector<MadeSlot> MadeExtents::TakeMade(LeaseId lease, uint64_t slots) {
  std::deque<MadeSlot>& made = leases_[lease].made;
  KVB_CHECK(slots <= made.size(), "more made slots taken than there are");
  const auto first = made.end() - static_cast<std::ptrdiff_t>(slots);
  std::vector<MadeSlot> taken(std::make_move_iterator(first), std::make_move_iterator(made.end()));
  made.erase(first, made.end());
  if (leases_[lease].empty()) leases_.erase(lease);
  return taken;
}

}  // namespace kvbroker
