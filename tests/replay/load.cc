#include "tests/replay/load.h"

#include <cmath>
#include <random>

namespace kvbroker::replay {
namespace {

// Gaps between the arrivals of a Poisson process.
class RandomGaps {
 public:
  RandomGaps(uint64_t seed, double rate) : random_(seed), rate_(rate) {}

  absl::Duration Next() {
    // The library's distributions differ from one to the next; these 53 bits do not.
    const double uniform = static_cast<double>(random_() >> 11) * 0x1p-53;
    return absl::Seconds(-std::log1p(-uniform) / rate_);
  }

 private:
  std::mt19937_64 random_;
  double rate_;
};

// Arrival k of a ramp is where the integral of the rate reaches k + 1/2.
std::vector<absl::Duration> RampArrivals(const LoadOptions& options, size_t tenant) {
  const double ramp = absl::ToDoubleSeconds(options.ramp);
  const double total = options.peak_rate * ramp;
  const absl::Duration start = options.ramp * 2 * (1 - options.overlap) * static_cast<double>(tenant);
  std::vector<absl::Duration> arrivals;
  for (double k = 0.5; k < total; k += 1) {
    const double at = k < total / 2 ? std::sqrt(2 * ramp * k / options.peak_rate)
                                    : 2 * ramp - std::sqrt(2 * ramp * (total - k) / options.peak_rate);
    arrivals.push_back(start + absl::Seconds(at));
  }
  return arrivals;
}

std::vector<absl::Duration> PoissonArrivals(const LoadOptions& options, size_t tenant) {
  std::vector<absl::Duration> arrivals;
  RandomGaps gaps(options.seed * 1000003 + tenant, options.peak_rate);
  for (absl::Duration at = gaps.Next(); at < options.duration; at += gaps.Next()) arrivals.push_back(at);
  return arrivals;
}

std::vector<absl::Duration> BurstArrivals(const LoadOptions& options, size_t tenant, size_t tenants) {
  std::vector<absl::Duration> arrivals;
  RandomGaps gaps(options.seed * 1000003 + tenant, options.peak_rate);
  const absl::Duration cycle = options.burst_on + options.burst_off;
  const absl::Duration first = cycle * static_cast<double>(tenant) / static_cast<double>(tenants);
  for (absl::Duration start = first; start < options.duration; start += cycle) {
    for (absl::Duration at = gaps.Next(); at < options.burst_on; at += gaps.Next()) {
      if (start + at < options.duration) arrivals.push_back(start + at);
    }
  }
  return arrivals;
}

std::vector<absl::Duration> Arrivals(const LoadOptions& options, size_t tenant, size_t tenants) {
  if (options.peak_rate <= 0) return {};
  switch (options.pattern) {
    case LoadOptions::Pattern::kRamp:
      return RampArrivals(options, tenant);
    case LoadOptions::Pattern::kPoisson:
      return PoissonArrivals(options, tenant);
    case LoadOptions::Pattern::kBurst:
      return BurstArrivals(options, tenant, tenants);
  }
  return {};
}

}  // namespace

std::vector<Request> GenerateLoad(const LoadOptions& options, size_t tenant, size_t tenants) {
  std::vector<Request> requests;
  for (const absl::Duration arrival : Arrivals(options, tenant, tenants)) {
    requests.push_back(
        {.arrival = arrival, .prompt_tokens = options.prompt_tokens, .output_tokens = options.output_tokens});
  }
  return requests;
}

}  // namespace kvbroker::replay
