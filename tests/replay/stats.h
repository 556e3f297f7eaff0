#ifndef KVBROKER_TESTS_REPLAY_STATS_H_
#define KVBROKER_TESTS_REPLAY_STATS_H_

#include <cstddef>
#include <vector>

namespace kvbroker::replay {

// A set of measurements in a few numbers; all zero where there were none.
struct Summary {
  size_t count = 0;
  double mean = 0;
  double p50 = 0;
  double p99 = 0;
  double max = 0;
};

// The smallest value that is not exceeded by `fraction` of the values (nearest rank). REQUIRES: `sorted` is, and is not
// empty; 0 < fraction <= 1.
double Percentile(const std::vector<double>& sorted, double fraction);

Summary Summarize(std::vector<double> values);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_STATS_H_
