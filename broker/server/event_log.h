#ifndef KVBROKER_BROKER_SERVER_EVENT_LOG_H_
#define KVBROKER_BROKER_SERVER_EVENT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace kvbroker {

// What happened lately and why, in words: the newest so many, each of bounded length and of printable ASCII alone, whatever names
// clients gave themselves. Thread-bound.
class EventLog {
 public:
  static constexpr size_t kRemembered = 4096;
  static constexpr size_t kLongest = 1024;

  struct Entry {
    uint64_t number = 0;  // 1, 2, 3, ...
    absl::Time at;        // of the day
    bool warning = false;
    std::string text;
  };

  void Add(absl::Time at, bool warning, std::string text);

  // The first `most` of those that are newer than number `after`. Where that one's next is remembered no more, those that are.
  std::vector<Entry> Since(uint64_t after, size_t most) const;

 private:
  std::deque<Entry> entries_;  // oldest first
  uint64_t newest_ = 0;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_EVENT_LOG_H_
