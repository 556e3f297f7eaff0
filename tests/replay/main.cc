// replay: drives several engines, each a process of its own, from request traces through one broker.
//
//   $ replay --runtime-dir /tmp/kvb --reserve 1GiB --slot 2MiB --kv-bytes-per-token 32KiB --ramp 4s --svg replay.svg
//   tenant     peak  limit  requests  preempted  waited  p50 ms  p99 ms  max ms  …  verified  wrong
//   a       824 MiB   none   120/120          0    3/…     …

#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/unique_fd.h"
#include "tests/replay/chart.h"
#include "tests/replay/coordinator.h"
#include "tests/replay/options.h"
#include "tests/replay/report.h"
#include "tests/replay/tenant.h"

namespace kvbroker::replay {
namespace {

constexpr int kExitFailed = 1;

int Fail(const absl::Status& status) {
  std::cerr << "replay: " << status.message() << "\n";
  return kExitFailed;
}

bool WriteFile(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  out.close();
  if (!out) std::cerr << "replay: cannot write " << path << "\n";
  return out.good();
}

int Main(int argc, char** argv) {
  const CommandLine line = ParseCommandLine(argc, argv);
  if (!line.options) return line.exit_code;
  const Options& options = *line.options;
  if (options.run_as) return RunTenant(options, UniqueFd(options.channel));
  if (options.dry_run) {
    const absl::StatusOr<std::string> demand = DescribeDemand(options);
    if (!demand.ok()) return Fail(demand.status());
    std::cout << *demand;
    return 0;
  }
  const absl::StatusOr<Report> report = RunReplay(options, std::vector<std::string>(argv, argv + argc));
  if (!report.ok()) return Fail(report.status());
  std::cout << ToTable(*report);
  bool written = options.json.empty() || WriteFile(options.json, ToJson(*report));
  if (!options.svg.empty()) written = WriteFile(options.svg, ToSvg(*report)) && written;
  return written && report->Problems().empty() ? 0 : kExitFailed;
}

}  // namespace
}  // namespace kvbroker::replay

int main(int argc, char** argv) { return kvbroker::replay::Main(argc, argv); }
