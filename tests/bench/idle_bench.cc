// What the broker costs while nothing happens: its share of one processor with so many quiet sessions, each holding some
// slots of cache.
//
//   bazel run -c opt //tests/bench:idle_bench                              on the host device
//   bazel run -c opt //tests/bench:idle_bench -- --kvb_device=cuda:0       on a GPU

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/testing/borrower.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

constexpr absl::Duration kWatched = absl::Seconds(20);
constexpr uint64_t kSlots = 4;  // of each session

// Of a process, user and system.
absl::Duration ProcessorTime(pid_t pid) {
  std::stringstream text;
  text << std::ifstream(absl::StrCat("/proc/", pid, "/stat")).rdbuf();
  // The name, in parentheses, may hold anything: the fields are counted from its end.
  const std::string line = text.str();
  const std::vector<std::string> fields = absl::StrSplit(line.substr(line.rfind(')') + 2), ' ');
  const double ticks = std::stod(fields[11]) + std::stod(fields[12]);
  return absl::Seconds(ticks / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

void Measure(const std::string& device, int sessions) {
  const auto broker = BrokerProcess::Start({}, device);
  std::vector<std::unique_ptr<Borrower>> borrowers;
  for (int i = 0; i < sessions; ++i) {
    borrowers.push_back(std::make_unique<Borrower>(
        Borrower::Options{.socket = broker->engine_socket(), .tenant = absl::StrCat("t", i), .slots = kSlots}));
  }
  Eventually(absl::Seconds(20), [&] {
    return broker->Status()->memory().granted() == (MiB(2) * kSlots * static_cast<uint64_t>(sessions)).in_bytes();
  });
  absl::SleepFor(absl::Seconds(1));
  const absl::Duration before = ProcessorTime(broker->pid());
  absl::SleepFor(kWatched);
  const absl::Duration used = ProcessorTime(broker->pid()) - before;
  std::printf("%3d quiet sessions: %.2f %% of a processor\n", sessions, 100 * absl::FDivDuration(used, kWatched));
}

}  // namespace
}  // namespace kvbroker

int main(int argc, char** argv) {
  std::string device = "host";
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (!absl::ConsumePrefix(&argument, "--kvb_device=")) {
      std::fprintf(stderr, "usage: idle_bench [--kvb_device=DEVICE]\n");
      return 2;
    }
    device = std::string(argument);
  }
  for (const int sessions : {0, 64}) kvbroker::Measure(device, sessions);
  return 0;
}
