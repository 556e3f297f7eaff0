#ifndef KVBROKER_BROKER_POLICY_SHORTAGE_H_
#define KVBROKER_BROKER_POLICY_SHORTAGE_H_

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "broker/policy/situation.h"
#include "common/base/bytes.h"

namespace kvbroker {

// For a share, a turn or room; a guarantee has its own deadline.
inline constexpr absl::Duration kUsualDeadline = absl::Seconds(1);

// What memory is missed for, the most urgent first. Shares: of the interactive class, batch, best effort.
enum class Purpose { kRoom, kGuarantee, kReserve, kTurn, kShareOfInteractive, kShareOfBatch, kShareOfBestEffort };
inline constexpr size_t kPurposes = 7;
inline bool IsShare(Purpose purpose) { return purpose >= Purpose::kShareOfInteractive; }
// What it is for may wait a moment for trims. A promise, and a request that starved, do not wait for a session's word.
inline bool WaitsForTrims(Purpose purpose) { return purpose == Purpose::kRoom || IsShare(purpose); }
// REQUIRES: IsShare.
inline int RankOf(Purpose purpose) { return static_cast<int>(Purpose::kShareOfBestEffort) - static_cast<int>(purpose); }

// What those who hold less than they are owed could be granted usefully (whole slots, no fewer than are of use), what is missing
// of reserves and of room, and how much of it is there or on its way back.
struct Shortage {
  std::array<Bytes, kPurposes> needed;
  std::array<std::optional<size_t>, kPurposes> tenant;           // whose need is the most urgent
  Bytes supply;                                                  // available, and given back already
  Bytes trims;                                                   // on their way, for what waits for them
  absl::Duration guarantee_deadline = absl::InfiniteDuration();  // the shortest of those whose assured bytes are short

  // What has to be reclaimed for this purpose and all more urgent ones.
  Bytes Missing(Purpose purpose) const;
  Bytes Missing() const { return Missing(Purpose::kShareOfBestEffort); }
  // The most urgent one for which something has to be reclaimed.
  std::optional<Purpose> First() const;
  // How soon it should be back.
  absl::Duration Within() const;
};

Shortage FindShortage(const Situation& situation, const std::vector<Bytes>& owed, std::optional<size_t> turn);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_SHORTAGE_H_
