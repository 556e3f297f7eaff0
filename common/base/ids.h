#ifndef KVBROKER_COMMON_BASE_IDS_H_
#define KVBROKER_COMMON_BASE_IDS_H_

#include <compare>
#include <cstdint>
#include <ostream>
#include <utility>

namespace kvbroker {

// A number that names something of one kind. Zero names nothing. Numbers of different kinds do not
// convert.
template <typename Kind>
class Id {
 public:
  constexpr Id() = default;
  constexpr explicit Id(uint64_t value) : value_(value) {}

  constexpr uint64_t value() const { return value_; }
  constexpr explicit operator bool() const { return value_ != 0; }

  friend constexpr auto operator<=>(Id, Id) = default;
  template <typename H>
  friend H AbslHashValue(H h, Id id) {
    return H::combine(std::move(h), id.value_);
  }
  friend std::ostream& operator<<(std::ostream& os, Id id) { return os << id.value_; }

 private:
  uint64_t value_ = 0;
};

using SessionId = Id<struct SessionKind>;  // unique in an epoch of the broker
using LeaseId = Id<struct LeaseKind>;      // unique in an epoch of the broker
using ArenaId = Id<struct ArenaKind>;      // chosen by the client, unique in its session
using BatchId = Id<struct BatchKind>;      // unique in its lease, growing

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_BASE_IDS_H_
