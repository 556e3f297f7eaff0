#ifndef KVBROKER_TESTS_SIM_RNG_H_
#define KVBROKER_TESTS_SIM_RNG_H_

#include <cstdint>

#include "absl/time/time.h"

namespace kvbroker::sim {

// All of a schedule's chance, out of one seed (splitmix64). The same on every machine. Thread-compatible.
class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 ... n - 1. REQUIRES: n > 0.
  uint64_t Below(uint64_t n) { return Next() % n; }
  // low ... high.
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  bool Chance(uint64_t percent) { return Below(100) < percent; }
  // Mostly short, at times up to `longest`.
  absl::Duration UpTo(absl::Duration longest) {
    const auto us = static_cast<uint64_t>(absl::ToInt64Microseconds(longest));
    return absl::Microseconds(Below(us / (Chance(80) ? 8 : 1) + 1));
  }
  template <typename Choices>
  auto Among(const Choices& choices) {
    return *(choices.begin() + Below(choices.size()));
  }

 private:
  uint64_t state_;
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_RNG_H_
