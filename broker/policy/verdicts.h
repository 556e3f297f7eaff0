#ifndef KVBROKER_BROKER_POLICY_VERDICTS_H_
#define KVBROKER_BROKER_POLICY_VERDICTS_H_

#include <optional>
#include <vector>

#include "broker/policy/grants.h"
#include "broker/policy/policy.h"
#include "broker/policy/reclaim.h"
#include "broker/policy/situation.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What the plan's parts decided; `fair` is what everybody should have were there no turns.
struct Decided {
  const std::vector<Bytes>& fair;
  const std::vector<Bytes>& entitled;
  std::optional<size_t> turn;
  const Reclaim& reclaim;
  const Grants& grants;
};

// For each lease the rule that keeps it from more, and the tenant that has most to do with it.
std::vector<PolicyPlan::Verdict> MakeVerdicts(const Situation& situation, const Decided& decided);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_POLICY_VERDICTS_H_
