#include "tests/replay/stats.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kvbroker::replay {

double Percentile(const std::vector<double>& sorted, double fraction) {
  const auto rank = static_cast<size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

Summary Summarize(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {.count = values.size(),
          .mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()),
          .p50 = Percentile(values, 0.5),
          .p99 = Percentile(values, 0.99),
          .max = values.back()};
}

}  // namespace kvbroker::replay
