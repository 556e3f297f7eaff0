#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/sim/simulation.h"

namespace kvbroker::sim {
namespace {

// What led to the failure of a seed, for the log. Found again by: simulate --seed N
std::string Explain(uint64_t seed) {
  const Simulation::Result result = Simulation({.seed = seed, .trace = true}).Run();
  return absl::StrCat(absl::StrJoin(result.last, "\n"), "\nseed ", seed, ": ", result.failure.value_or("(not again)"));
}

TEST(SimulationTest, WhatMustHoldHoldsInEverySchedule) {
  constexpr uint64_t kSchedules = 2000;
  uint64_t steps = 0;
  for (uint64_t seed = 1; seed <= kSchedules; ++seed) {
    const Simulation::Result result = Simulation({.seed = seed}).Run();
    steps += result.steps;
    ASSERT_FALSE(result.failure.has_value()) << Explain(seed);
  }
  std::printf("%s schedules, %s steps\n", absl::StrCat(kSchedules).c_str(), absl::StrCat(steps).c_str());
}

TEST(SimulationTest, TheSameSeedGivesTheSameSchedule) {
  const Simulation::Result first = Simulation({.seed = 5, .trace = true}).Run();
  const Simulation::Result second = Simulation({.seed = 5, .trace = true}).Run();
  EXPECT_EQ(first.steps, second.steps);
  EXPECT_EQ(first.last, second.last);
}

}  // namespace
}  // namespace kvbroker::sim
