#ifndef KVBROKER_BROKER_POLICY_SATURATING_H_
#define KVBROKER_BROKER_POLICY_SATURATING_H_

#include <algorithm>
#include <cstdint>
#include <limits>

#include "common/base/bytes.h"

namespace kvbroker {

// Sums and products of what clients claim: past 2^64 - 1 they stay there, where those of Bytes abort. A policy reckons
// with these alone; differences are MinusOrZero.

inline constexpr Bytes kMostBytes = Bytes(std::numeric_limits<uint64_t>::max());

inline Bytes Plus(Bytes a, Bytes b) {
  uint64_t sum;
  return __builtin_add_overflow(a.in_bytes(), b.in_bytes(), &sum) ? kMostBytes : Bytes(sum);
}

inline Bytes Times(Bytes a, uint64_t n) {
  uint64_t product;
  return __builtin_mul_overflow(a.in_bytes(), n, &product) ? kMostBytes : Bytes(product);
}

// a * numerator / denominator, rounded down. REQUIRES: the denominator is not zero.
inline Bytes Scaled(Bytes a, uint64_t numerator, uint64_t denominator) {
  const unsigned __int128 scaled = static_cast<unsigned __int128>(a.in_bytes()) * numerator / denominator;
  return scaled > kMostBytes.in_bytes() ? kMostBytes : Bytes(static_cast<uint64_t>(scaled));
}

// How often `unit` fits into `a`; 0 where the unit is nothing.
inline uint64_t HowMany(Bytes a, Bytes unit) { return unit.IsZero() ? 0 : a.in_bytes() / unit.in_bytes(); }

// To whole units; a unit of nothing changes nothing.
inline Bytes RoundedDown(Bytes a, Bytes unit) { return unit.IsZero() ? a : Times(unit, HowMany(a, unit)); }
inline Bytes RoundedUp(Bytes a, Bytes unit) {
  const Bytes down = RoundedDown(a, unit);
  return down == a ? a : Plus(down, unit);
}

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_SATURATING_H_
