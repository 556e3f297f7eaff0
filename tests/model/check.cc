// Tries all that can happen to a broker, two clients and a device of a few slots; says how many states there are, and how one
// came about in which something does not hold.
//
//   $ bazel run -c opt //tests/model:check -- --crashes 2
//
// Exit codes: 0 all holds, 1 something does not, 2 usage.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "tests/model/explore.h"

int main(int argc, char** argv) {
  CLI::App app("Tries all that can happen to a broker, two clients and a device of a few slots.", "check");
  kvbroker::model::World::Options options;
  app.add_option("--slots", options.slots, "Of the device, at least 2; default 3")->check(CLI::Range(2, 64));
  app.add_option("--crashes", options.crashes, "Of the broker and the clients, in sum; default 2");
  app.add_option("--returns", options.returns, "Slots that each client gives back while it lives; default 1");
  CLI11_PARSE(app, argc, argv);
  const absl::Time started = absl::Now();
  const auto explored = Explore(options, [](const kvbroker::model::Explored& so_far) {
    std::fprintf(stderr, "\r%lu states, %lu transitions", so_far.states, so_far.transitions);
  });
  std::printf("\n%lu states, %lu transitions in %s\n", explored.states, explored.transitions,
              absl::FormatDuration(absl::Now() - started).c_str());
  if (!explored.wrong.has_value()) return std::printf("all holds\n"), 0;
  std::printf("DOES NOT HOLD: %s\n  %s\n", explored.wrong->c_str(), absl::StrJoin(explored.path, "\n  ").c_str());
  return 1;
}
