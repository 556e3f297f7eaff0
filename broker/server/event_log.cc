#include "broker/server/event_log.h"

#include <algorithm>

namespace kvbroker {

std::vector<EventLog::Entry> EventLog::Since(uint64_t after, size_t most) const {
  const uint64_t forgotten = newest_ - entries_.size();
  const size_t skip = std::min<uint64_t>(after > forgotten ? after - forgotten : 0, entries_.size());
  const size_t count = std::min(most, entries_.size() - skip);
  const auto first = entries_.begin() + static_cast<ptrdiff_t>(skip);
  return {first, first + static_cast<ptrdiff_t>(count)};
}

}  // namespace kvbroker
