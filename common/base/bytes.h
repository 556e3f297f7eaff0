#ifndef KVBROKER_COMMON_BASE_BYTES_H_
#define KVBROKER_COMMON_BASE_BYTES_H_

#include <compare>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kvbroker {

// An amount of memory. A type of its own, so that bytes, slots and extents cannot be mixed up: only
// the sums that make sense compile. Sums and products past 2^64 and differences below zero are
// broken invariants and abort.
class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(uint64_t count) : count_(count) {}

  constexpr uint64_t in_bytes() const { return count_; }
  constexpr bool IsZero() const { return count_ == 0; }

  Bytes& operator+=(Bytes other);
  Bytes& operator-=(Bytes other);
  friend Bytes operator+(Bytes a, Bytes b) { return a += b; }
  friend Bytes operator-(Bytes a, Bytes b) { return a -= b; }
  friend Bytes operator*(Bytes a, uint64_t n);
  friend Bytes operator*(uint64_t n, Bytes a) { return a * n; }
  // How often `b` fits into `a`. REQUIRES: b is not zero.
  friend uint64_t operator/(Bytes a, Bytes b);
  friend constexpr auto operator<=>(Bytes, Bytes) = default;

 private:
  uint64_t count_ = 0;
};

constexpr Bytes KiB(uint64_t n) { return Bytes(n << 10); }
constexpr Bytes MiB(uint64_t n) { return Bytes(n << 20); }
constexpr Bytes GiB(uint64_t n) { return Bytes(n << 30); }

Bytes Sum(const std::vector<Bytes>& parts);

// a - b, or zero where b is more.
Bytes MinusOrZero(Bytes a, Bytes b);

// `a` rounded up to a multiple of `unit`. REQUIRES: unit is not zero.
Bytes RoundUp(Bytes a, Bytes unit);

// How many units hold `a`. REQUIRES: unit is not zero.
uint64_t UnitsFor(Bytes a, Bytes unit);

// For people: "40 GiB", "1.50 GiB", "512 MiB", "0 B".
std::string ToString(Bytes bytes);
std::ostream& operator<<(std::ostream& os, Bytes bytes);

// Reads "40GiB", "1.5 GiB", "512M", "40GB" or "4096". KiB MiB GiB TiB, and K M G T alike, count in
// 1024; KB MB GB TB in 1000; a number alone is in bytes. INVALID_ARGUMENT names the text and says
// what is accepted.
absl::StatusOr<Bytes> ParseBytes(absl::string_view text);

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_BASE_BYTES_H_
