#ifndef KVBROKER_BROKER_CORE_LATENCY_HISTOGRAM_H_
#define KVBROKER_BROKER_CORE_LATENCY_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace kvbroker {

// How long something took, how often. Plain values. Thread-compatible.
class LatencyHistogram {
 public:
  // Upper bounds, each of the bucket that ends with it; one more bucket has what took longer.
  static constexpr std::array<absl::Duration, 14> kBounds = {
      absl::Milliseconds(1),   absl::Microseconds(2500), absl::Milliseconds(5),    absl::Milliseconds(10),
      absl::Milliseconds(25),  absl::Milliseconds(50),   absl::Milliseconds(100),  absl::Milliseconds(250),
      absl::Milliseconds(500), absl::Seconds(1),         absl::Milliseconds(2500), absl::Seconds(5),
      absl::Seconds(10),       absl::Seconds(30)};
  using Counts = std::array<uint64_t, kBounds.size() + 1>;

  void Add(absl::Duration took) {
    ++counts_[static_cast<size_t>(std::lower_bound(kBounds.begin(), kBounds.end(), took) - kBounds.begin())];
    sum_ += took;
  }

  const Counts& counts() const { return counts_; }  // of each bucket alone
  absl::Duration sum() const { return sum_; }

 private:
  Counts counts_ = {};
  absl::Duration sum_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_LATENCY_HISTOGRAM_H_
