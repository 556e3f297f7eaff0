#include "broker/server/event_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"

namespace kvbroker {

void EventLog::Add(absl::Time at, bool warning, std::string text) {
  if (text.size() > kLongest) {
    text.resize(kLongest);
    text += "...";
  }
  for (char& c : text) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  entries_.push_back({.number = ++newest_, .at = at, .warning = warning, .text = std::move(text)});
  if (entries_.size() > kRemembered) entries_.pop_front();
}

std::vector<EventLog::Entry> EventLog::Since(uint64_t after, size_t most) const {
  const uint64_t forgotten = newest_ - entries_.size();
  const size_t skip = std::min<uint64_t>(after > forgotten ? after - forgotten : 0, entries_.size());
  const size_t count = std::min(most, entries_.size() - skip);
  const auto first = entries_.begin() + static_cast<ptrdiff_t>(skip);
  return {first, first + static_cast<ptrdiff_t>(count)};
}

}  // namespace kvbroker
