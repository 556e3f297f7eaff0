#ifndef KVBROKER_TESTS_REPLAY_REPORT_FOR_TESTING_H_
#define KVBROKER_TESTS_REPLAY_REPORT_FOR_TESTING_H_

#include "tests/replay/report.h"

namespace kvbroker::replay {

// Two tenants that peak at 8 and 7 GiB, one after the other, in 10 GiB; three samples; all well.
inline Report ReportForTesting() {
  Report report{.title = "2 tenants <of> a test",
                .device_uuid = "HOST-host",
                .device_kind = "host",
                .reserve = GiB(20),
                .slot = MiB(32),
                .block = MiB(2)};
  report.samples = {
      {.seconds = 0, .capacity = GiB(10), .held = {GiB(0), GiB(0)}},
      {.seconds = 5, .capacity = GiB(10), .held = {GiB(8), GiB(2)}},
      {.seconds = 10, .capacity = GiB(10), .held = {GiB(1), GiB(7)}},
  };
  Result result{.seconds = 10, .arrived = 100, .done = 100, .takes = 500, .waits_ms = {1, 40}};
  result.filled = result.verified = GiB(30).in_bytes();
  result.sample_seconds = {0, 5, 10};
  result.sample_mapped = {0, 8e9, 1e9};
  result.sample_in_blocks = {0, 7e9, 5e8};
  result.sample_running = {0, 9, 1};
  result.sample_queued = {0, 2, 0};
  report.tenants = {{.name = "a", .limit = GiB(9), .result = result}, {.name = "b", .result = result}};
  return report;
}

}  // namespace kvbroker::replay

#endif  // KVBROKER_TESTS_REPLAY_REPORT_FOR_TESTING_H_
