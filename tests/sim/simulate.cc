// Runs schedules of the simulator, to look for new failures and to replay one:
//
//   $ bazel run -c opt //tests/sim:simulate -- --seed 1 --schedules 100000
//   100000 schedules, 62 million steps in 214 s: all is well
//   $ bazel run //tests/sim:simulate -- --seed 4711
//   $ bazel run -c opt //tests/sim:simulate -- --guarantee 1 --schedules 10000
//
// --guarantee 1: about guarantees, with honest borrowers (--pins 0: who pin nothing); 2: with dishonest ones. --oracle 1: all
// shares are compared with the oracle. --must_rest 0: what moves without end is no failure; --modest 0: all clients say what
// they could use, whatever their targets.
//
// The first failing schedule is shown with what led to it, and ends the run; with --all 1 each is named in a line. Either way
// the status is 1 then.

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "tests/sim/guarantee_sim.h"
#include "tests/sim/simulation.h"

namespace {

using kvbroker::sim::Simulation;

struct Flags {
  uint64_t seed = 1;
  uint64_t schedules = 1;
  uint64_t steps = Simulation::Options().steps;
  uint64_t oracle = 0;
  uint64_t all = 0;
  uint64_t modest = 1;
  uint64_t must_rest = 1;
  uint64_t crashes = 0;
  uint64_t pins = 1;
  uint64_t guarantee = 0;  // 1: honest borrowers, 2: dishonest ones
};

// --name N or --name=N.
bool Parse(int argc, char** argv, Flags& flags) {
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    std::string value;
    if (const size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    } else if (i + 1 < argc) {
      value = argv[++i];
    }
    uint64_t* const flag = name == "--seed"        ? &flags.seed
                           : name == "--schedules" ? &flags.schedules
                           : name == "--steps"     ? &flags.steps
                           : name == "--guarantee" ? &flags.guarantee
                           : name == "--pins"      ? &flags.pins
                           : name == "--modest"    ? &flags.modest
                           : name == "--must_rest" ? &flags.must_rest
                           : name == "--crashes"   ? &flags.crashes
                           : name == "--all"       ? &flags.all
                           : name == "--oracle"    ? &flags.oracle
                                                   : nullptr;
    if (flag == nullptr || !absl::SimpleAtoi(value, flag)) return false;
  }
  return true;
}

int RunGuarantees(const Flags& flags) {
  using kvbroker::sim::GuaranteeSim;
  GuaranteeSim::Result sum;
  uint64_t failed = 0;
  const absl::Time start = absl::Now();
  for (uint64_t i = 0; i < flags.schedules; ++i) {
    GuaranteeSim::Options options = {.seed = flags.seed + i, .honest = flags.guarantee == 1, .pins = flags.pins != 0};
    const GuaranteeSim::Result result = GuaranteeSim(options).Run();
    sum += result;
    if (!result.failure.has_value()) continue;
    ++failed;
    if (flags.all == 0) {
      options.trace = true;
      for (const std::string& line : GuaranteeSim(options).Run().last) std::printf("%s\n", line.c_str());
    }
    std::printf("seed %s: %s\n", absl::StrCat(options.seed).c_str(), result.failure->c_str());
    if (flags.all == 0) return 1;
  }
  std::printf("%s\n", absl::StrCat(flags.schedules, " schedules, ", sum.steps, " steps in ",
                                   absl::FormatDuration(absl::Now() - start), ": ", sum.waits, " waits, ", sum.misses,
                                   " misses, ", sum.noted, " noted, ", sum.accused, " accused, ", sum.accused_wrongly,
                                   " of them wrongly, ", failed, " failed")
                          .c_str());
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (!Parse(argc, argv, flags)) {
    std::fprintf(
        stderr,
        "usage: simulate [--seed N] [--schedules N] [--steps N] [--all 1] [--oracle 1] [--guarantee 1|2] [--pins 0] "
        "[--modest 0] [--must_rest 0] [--crashes 1]\n");
    return 2;
  }
  if (flags.guarantee != 0) return RunGuarantees(flags);
  uint64_t steps = 0;
  uint64_t failed = 0;
  const absl::Time start = absl::Now();
  for (uint64_t i = 0; i < flags.schedules; ++i) {
    const uint64_t seed = flags.seed + i;
    Simulation::Options options = {.seed = seed,
                                   .steps = flags.steps,
                                   .oracle = flags.oracle != 0,
                                   .modest = flags.modest != 0,
                                   .crashes = flags.crashes != 0,
                                   .must_rest = flags.must_rest != 0};
    const Simulation::Result result = Simulation(options).Run();
    steps += result.steps;
    if (!result.failure.has_value()) continue;
    if (flags.all != 0) {
      ++failed;
      std::printf("seed %s: %s\n", absl::StrCat(seed).c_str(), result.failure->c_str());
      continue;
    }
    options.trace = true;
    const Simulation::Result again = Simulation(options).Run();
    for (const std::string& line : again.last) std::printf("%s\n", line.c_str());
    std::printf("seed %s, step %s: %s\n", absl::StrCat(seed).c_str(), absl::StrCat(again.steps).c_str(),
                again.failure.value_or("not seen again: the simulation is not deterministic").c_str());
    return 1;
  }
  std::printf("%s schedules, %s steps in %.1f s: %s\n", absl::StrCat(flags.schedules).c_str(),
              absl::StrCat(steps).c_str(), absl::ToDoubleSeconds(absl::Now() - start),
              failed == 0 ? "all is well" : absl::StrCat(failed, " failed").c_str());
  return failed == 0 ? 0 : 1;
}
