#ifndef KVBROKER_TESTS_REPLAY_LOAD_H_
#define KVBROKER_TESTS_REPLAY_LOAD_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "tests/replay/request.h"

namespace kvbroker::replay {

// How requests are made up where no trace is given.
struct LoadOptions {
  enum class Pattern {
    kRamp,     // the rate climbs from 0 to the peak and falls to 0 again, evenly spaced; tenants peak one after another
    kPoisson,  // the peak rate all the time, random gaps
    kBurst,    // the peak rate, random gaps, for `burst_on` of every `burst_on + burst_off`; tenants take turns
  };
  Pattern pattern = Pattern::kRamp;
  double peak_rate = 20;                        // requests a second
  absl::Duration ramp = absl::Seconds(30);      // from 0 to the peak, and as long back
  double overlap = 0;                           // 0: a tenant's ramp starts where the one before ends; 1: all at once
  absl::Duration duration = absl::Seconds(60);  // of kPoisson and kBurst
  absl::Duration burst_on = absl::Seconds(5);
  absl::Duration burst_off = absl::Seconds(15);
  uint64_t prompt_tokens = 256;
  uint64_t output_tokens = 256;
  uint64_t seed = 1;
};

// The requests of the tenant with this number, of so many, by arrival. The same options give the same requests.
std::vector<Request> GenerateLoad(const LoadOptions& options, size_t tenant, size_t tenants);

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_LOAD_H_
