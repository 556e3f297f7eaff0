#ifndef KVBROKER_CLI_EXPORTER_BROKERS_H_
#define KVBROKER_CLI_EXPORTER_BROKERS_H_

#include <prometheus/collectable.h>

#include <string>
#include <utility>
#include <vector>

#include "cli/exporter/families.h"

namespace kvbroker::cli {

// The brokers of a runtime directory, looked for and asked anew each time: one that comes later is there at the next
// scrape, one that died is there as a device whose broker is not up. All are asked at once, so that one that hangs delays a
// scrape by less than 2 s, and hides none of the others. Thread-safe.
class Brokers : public prometheus::Collectable {
 public:
  explicit Brokers(std::string runtime_dir) : runtime_dir_(std::move(runtime_dir)) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::string runtime_dir_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_EXPORTER_BROKERS_H_
