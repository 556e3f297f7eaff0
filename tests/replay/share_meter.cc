#include "tests/replay/share_meter.h"

#include <algorithm>

namespace kvbroker::replay {

void ShareMeter::Look(absl::Duration at, bool busy, Bytes held, Bytes needed) {
  const double seconds = absl::ToDoubleSeconds(at - last_);
  held_ += held_now_ * seconds;
  needed_ += needed_now_ * seconds;
  last_ = at;
  needed_now_ = busy ? static_cast<double>(needed.in_bytes()) : 0;
  held_now_ = busy ? static_cast<double>(std::min(held, needed).in_bytes()) : 0;
}

double JainIndex(const std::vector<double>& values) {
  double sum = 0;
  double squares = 0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
  }
  return squares > 0 ? sum * sum / (static_cast<double>(values.size()) * squares) : 1;
}

}  // namespace kvbroker::replay
