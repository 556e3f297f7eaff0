#ifndef KVBROKER_BROKER_POLICY_RECLAIM_H_
#define KVBROKER_BROKER_POLICY_RECLAIM_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "broker/policy/shortage.h"
#include "broker/policy/situation.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What a byte of a price class costs, relative to one that is mapped and given to nobody: each age of cached bytes
// twice the next older one (how likely it is to be needed again falls about so), above them what has to be copied, and
// last what puts off a request: the most that can happen to a user.
inline constexpr std::array<uint32_t, kPriceClasses> kPrices = {
    1,                                   // spare
    2,                                   // free: the engine has to let go of it
    4,    8, 16, 32, 64, 128, 256, 512,  // cached, from over 1 h to under 1 s
    1024,                                // compactable
    4096,                                // preemptible, and what was not reported
};
// Cached bytes cost up to so many times as much: where all that the session holds had to be computed again already,
// since it had been taken once.
inline constexpr uint32_t kRefaultCost = 4;
// Bytes of lower classes cost a half and a quarter.
inline constexpr std::array<uint32_t, 3> kClassCost = {1, 2, 4};  // best effort, batch, interactive

// At least so much is asked for, and so many quarters of what is missing, as far as the excess of those asked allows: a
// want that grows slot by slot does not ask slot by slot.
inline constexpr Bytes kLeastReclaim = MiB(256);
inline constexpr uint64_t kReclaimQuarters = 5;

// Who gives back how much.
struct Reclaim {
  std::vector<Bytes> ask;  // of each session: so much below what it holds
  Bytes asked;             // together
  Bytes coming;            // of which from those that have not missed their target; then also what trims bring
};

// A tenant over its limit gives back the difference at once: its sessions that were asked already, then the one that
// holds most. Beyond that, where memory is short, tenants that hold more than their entitlement give back of that,
// cheapest bytes first (kPrices), in whole slots, never what is pinned. What was granted in the last 2 s does not go
// for the share of an equal or lower class. Sessions that answer more slowly than is needed, and after them those that
// missed their target, give only what the others cannot; what the latter were asked for is not counted on.
//
// Shares are in bytes and memory comes in slots. Where something more urgent than a share still lacks less than that hides
// (room, an assured byte, a turn), tenants give the slot that crosses their entitlement too, unless it is assured to them.
//
// Level-triggered: what is asked already stays as it is while it is within the excess, and if it covers the shortage
// nothing more is asked; without a shortage nobody is asked but for a limit.
Reclaim PlanReclaim(const Situation& situation, const std::vector<Bytes>& entitled, const Shortage& shortage);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_RECLAIM_H_
