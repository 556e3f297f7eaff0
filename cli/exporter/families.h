#ifndef KVBROKER_CLI_EXPORTER_FAMILIES_H_
#define KVBROKER_CLI_EXPORTER_FAMILIES_H_

#include <prometheus/metric_family.h>

#include <optional>
#include <string>
#include <vector>

#include "proto/admin.pb.h"

namespace kvbroker::cli {

// What a broker says of itself.
struct Answers {
  admin::v1::Status status;
  admin::v1::ListTenantsResponse tenants;
  admin::v1::ListSessionsResponse sessions;
};

// A broker's device, named as NVIDIA's dcgm-exporter names it, and what the broker says; nothing: it does not answer.
struct BrokerView {
  std::string uuid;  // label UUID
  std::string gpu;   // label gpu: its number, or empty where nobody knows
  std::optional<Answers> answers;
};

// The metrics of all brokers of a node, by their names; docs/operations.md says what each means and what to do about it.
// Bytes and seconds throughout. `now_s` is the time of the day, since 1970.
std::vector<prometheus::MetricFamily> FamiliesOf(const std::vector<BrokerView>& brokers, double now_s);

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_EXPORTER_FAMILIES_H_
