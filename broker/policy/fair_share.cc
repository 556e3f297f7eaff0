#include "broker/policy/fair_share.h"

#include <algorithm>

#include "broker/policy/saturating.h"

namespace kvbroker {
namespace {

using uint128 = unsigned __int128;

constexpr int kHighestClass = static_cast<int>(TenantClass::kInteractive);
// Levels are bytes for each unit of weight, in fractions of 2^-14: a step changes no part by more than a byte.
constexpr int kLevelBits = 14;
constexpr uint32_t kLargestWeight = (1 << kLevelBits) - 1;

// One that takes part in one class's sharing. Its demand there is active + idle, and at least `least`.
struct Part {
  size_t claim;
  uint64_t weight;
  uint64_t least;  // has it already
  uint64_t active;
  uint64_t idle;

  uint64_t AtLevel(uint128 level) const {
    const uint128 reach = (weight * level) >> kLevelBits;
    if (reach <= active) return std::max(least, static_cast<uint64_t>(reach));
    const uint128 of_idle = std::min<uint128>((reach - active) / kIdleCost, idle);
    return std::max(least, static_cast<uint64_t>(active + of_idle));
  }
  uint128 HighestLevel() const {
    return ((active + static_cast<uint128>(kIdleCost) * idle + 1) << kLevelBits) / weight + 1;
  }
};

uint128 SumAtLevel(const std::vector<Part>& parts, uint128 level) {
  uint128 sum = 0;
  for (const Part& part : parts) sum += part.AtLevel(level);
  return sum;
}

// The highest level at which all parts together are no more than `total`.
uint128 FindLevel(const std::vector<Part>& parts, uint128 total) {
  uint128 low = 0;
  uint128 high = 0;
  for (const Part& part : parts) high = std::max(high, part.HighestLevel());
  if (SumAtLevel(parts, high) <= total) return high;
  while (high - low > 1) {
    const uint128 middle = low + (high - low) / 2;
    (SumAtLevel(parts, middle) <= total ? low : high) = middle;
  }
  return low;
}

Bytes Demand(const Claim& claim) { return Plus(claim.active, claim.idle); }

// Adds `amount(claim)` to each one's part; where `rest` is too little, the higher class first, then in proportion.
template <typename Amount>
void GiveByClass(absl::Span<const Claim> claims, Amount amount, Bytes& rest, std::vector<Bytes>& entitled) {
  for (int c = kHighestClass; c >= 0; --c) {
    uint128 sum = 0;
    for (const Claim& claim : claims) {
      if (static_cast<int>(claim.tenant_class) == c) sum += amount(claim).in_bytes();
    }
    if (sum == 0) continue;
    const uint128 given = std::min<uint128>(sum, rest.in_bytes());
    for (size_t i = 0; i < claims.size(); ++i) {
      if (static_cast<int>(claims[i].tenant_class) != c) continue;
      const uint128 bytes = amount(claims[i]).in_bytes();
      entitled[i] += Bytes(static_cast<uint64_t>(given == sum ? bytes : bytes * given / sum));
    }
    rest -= Bytes(static_cast<uint64_t>(given));
  }
}

// Those who share as tenants of class `c`: its own with all they ask for, those raised to it with a part of that.
std::vector<Part> PartsIn(int c, absl::Span<const Claim> claims, const std::vector<Bytes>& entitled) {
  std::vector<Part> parts;
  parts.reserve(claims.size());
  for (size_t i = 0; i < claims.size(); ++i) {
    const Claim& claim = claims[i];
    const int own = static_cast<int>(claim.tenant_class);
    if (own != c && own + 1 != c) continue;
    const Bytes ask = own == c ? Demand(claim) : std::min(claim.raised, Demand(claim));
    if (ask <= entitled[i]) continue;
    const Bytes active = std::min(claim.active, ask);
    parts.push_back({.claim = i,
                     .weight = std::clamp<uint32_t>(claim.weight, 1, kLargestWeight),
                     .least = entitled[i].in_bytes(),
                     .active = active.in_bytes(),
                     .idle = (ask - active).in_bytes()});
  }
  return parts;
}

void ShareInClass(int c, absl::Span<const Claim> claims, Bytes& rest, std::vector<Bytes>& entitled) {
  const std::vector<Part> parts = PartsIn(c, claims, entitled);
  if (parts.empty() || rest.IsZero()) return;
  uint128 total = rest.in_bytes();
  for (const Part& part : parts) total += part.least;
  const uint128 level = FindLevel(parts, total);
  for (const Part& part : parts) {
    const Bytes share = Bytes(part.AtLevel(level));
    rest -= share - entitled[part.claim];
    entitled[part.claim] = share;
  }
}

}  // namespace

std::vector<Bytes> Entitle(Bytes total, absl::Span<const Claim> claims) {
  std::vector<Bytes> entitled(claims.size());
  Bytes rest = total;
  const auto reserved = [](const Claim& claim) { return std::min(claim.reserved, Demand(claim)); };
  const auto guaranteed = [&](const Claim& claim) {
    return MinusOrZero(std::min(claim.assured, Demand(claim)), reserved(claim));
  };
  GiveByClass(claims, reserved, rest, entitled);
  const auto pinned = [](const Claim& claim) {
    return MinusOrZero(std::min(claim.pinned, Demand(claim)), std::min(claim.assured, Demand(claim)));
  };
  GiveByClass(claims, guaranteed, rest, entitled);
  GiveByClass(claims, pinned, rest, entitled);
  for (size_t i = 0; i < claims.size(); ++i) {
    const Bytes need = std::min(claims[i].need, Demand(claims[i]));
    const Bytes more = std::min(MinusOrZero(need, entitled[i]), rest);
    entitled[i] += more;
    rest -= more;
  }
  for (int c = kHighestClass; c >= 0; --c) ShareInClass(c, claims, rest, entitled);
  return entitled;
}

}  // namespace kvbroker
