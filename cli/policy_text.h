#ifndef KVBROKER_CLI_POLICY_TEXT_H_
#define KVBROKER_CLI_POLICY_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "proto/admin.pb.h"

namespace kvbroker::cli {

// A tenant's policy in the words that operators write. All pure functions of their arguments.

// The limit, or "none".
std::string FormatLimit(const admin::v1::TenantPolicy& policy);

// "interactive", "batch", "best_effort"; "unknown" for one of another version.
std::string ClassName(admin::v1::TenantClass tenant_class);
std::optional<admin::v1::TenantClass> ClassNamed(absl::string_view name);

// "no_growth", "end_process".
std::string MissedTargetName(admin::v1::MissedTarget missed_target);
std::optional<admin::v1::MissedTarget> MissedTargetNamed(absl::string_view name);

// "250 ms", "1.5 s", "1 min 0 s".
std::string FormatDeadline(uint64_t milliseconds);

// All of it in a line: "limit 10.0 GiB, guarantee 4.0 GiB within 250 ms, weight 100, interactive, no_growth". What is
// neither reserved nor guaranteed is left out.
std::string FormatPolicy(const admin::v1::TenantPolicy& policy);

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_POLICY_TEXT_H_
