#ifndef KVBROKER_TESTS_REPLAY_CHART_H_
#define KVBROKER_TESTS_REPLAY_CHART_H_

#include <string>

#include "tests/replay/report.h"

namespace kvbroker::replay {

// A picture of who held what when, as SVG: the tenants' holdings upon one another under the capacity, with the sum of
// their peaks for comparison, and below a panel for each tenant with its limit and what its blocks took of it.
std::string ToSvg(const Report& report);

namespace internal {

// Distances between marks of an axis that people read easily: 1, 2 or 5 times a power of ten, and for time 15, 30 and
// 60, too. The smallest that makes no more than `most` marks up to `max`. REQUIRES: max > 0.
double TickStep(double max, int most);
double TimeTickStep(double max, int most);

// Which samples to draw: of each stretch of time the one with the largest sum, so that no peak is lost, and the first
// and the last. At most about `most`.
std::vector<size_t> Thinned(const std::vector<BrokerSample>& samples, size_t most);

}  // namespace internal
}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_CHART_H_
