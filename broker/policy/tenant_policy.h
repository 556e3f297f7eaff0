#ifndef KVBROKER_BROKER_POLICY_TENANT_POLICY_H_
#define KVBROKER_BROKER_POLICY_TENANT_POLICY_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker {

// Who is served first where there is not enough for all; higher is earlier.
enum class TenantClass { kBestEffort = 0, kBatch = 1, kInteractive = 2 };

// What becomes of a session that has not given back by the deadline what it was asked for. In either case it does not
// grow until it has.
enum class MissedTarget {
  kNoGrowth,    // and nothing else
  kEndProcess,  // its process is ended: SIGTERM, and SIGKILL 5 s later
};

// What a tenant may count on and what bounds it. docs/policy.md has every rule.
struct TenantPolicy {
  Bytes reserved;   // never lent to others
  Bytes guarantee;  // lent while it does not use it, and back within the deadline
  absl::Duration guarantee_deadline = absl::Seconds(1);
  std::optional<Bytes> limit;  // never exceeded; none: the device
  uint32_t weight = 100;       // of its share where several want more than there is; 1 to 10,000
  TenantClass tenant_class = TenantClass::kInteractive;
  MissedTarget missed_target = MissedTarget::kNoGrowth;

  // What it may always have, within the deadline.
  Bytes assured() const { return reserved > guarantee ? reserved : guarantee; }

  friend bool operator==(const TenantPolicy&, const TenantPolicy&) = default;
};

// INVALID_ARGUMENT names the numbers that do not go together: more assured than the limit, a weight or a deadline
// (10 ms to 1 h) out of bounds.
absl::Status CheckTenantPolicy(const TenantPolicy& policy);

// "best_effort", "batch", "interactive".
absl::string_view ToString(TenantClass tenant_class);
std::optional<TenantClass> ParseTenantClass(absl::string_view text);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_TENANT_POLICY_H_
