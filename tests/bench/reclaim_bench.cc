// How long it takes to get memory that an idle neighbour holds: from the want to the memory mapped in the asker.
//
//   bazel run -c opt //tests/bench:reclaim_bench                              on the host device
//   bazel run -c opt //tests/bench:reclaim_bench -- --kvb_device=cuda:0       on a GPU
//
// The neighbour, in a process of its own, holds all there is, as cache that nobody used for some 20 s. Arguments: GiB asked
// for (on the host device: sixteenths), and how long the neighbour takes to answer, in ms.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "tests/bench/cache_holder.h"
#include "tests/bench/give_all_back.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);
// What was granted is not asked back for 2 s: with these rests enough of what the neighbour holds is older than that.
constexpr absl::Duration kRest = absl::Milliseconds(300);
constexpr absl::Duration kRestOfALargePart = absl::Milliseconds(2200);

std::string g_device = "host";

bool OnHost() { return g_device == "host"; }
Bytes Slot() { return OnHost() ? MiB(2) : MiB(32); }
Bytes OneUnit() { return OnHost() ? MiB(64) : GiB(1); }
Bytes Capacity() { return OneUnit() * 24; }

void FromAnIdleNeighbour(benchmark::State& state) {
  const uint64_t slots = OneUnit() * static_cast<uint64_t>(state.range(0)) / Slot();
  const std::string memory = absl::StrCat(Capacity().in_bytes());
  const auto broker = OnHost() ? BrokerProcess::Start({"--host-memory", memory}, g_device)
                               : BrokerProcess::Start({"--capacity", memory}, g_device);
  const CacheHolderProcess neighbour({.socket = broker->engine_socket(),
                                      .tenant = "idle",
                                      .slot = Slot(),
                                      .slots = Capacity() / Slot(),
                                      .answers_after = absl::Milliseconds(state.range(1))});
  const auto session = *Session::Open({.tenant = "asks", .engine = "reclaim_bench", .socket = broker->engine_socket()});
  const auto arena = *session->CreateArena({.planes = {Slot()}, .slots = Capacity() / Slot(), .low = 0});
  absl::SleepFor(kRestOfALargePart);
  std::vector<double> times_ms;
  for ([[maybe_unused]] auto _ : state) {
    Eventually(kLong, [&] { return broker->Status()->memory().granted() == Capacity().in_bytes(); });
    absl::SleepFor(state.range(0) > 1 ? kRestOfALargePart : kRest);
    const absl::Time start = absl::Now();
    arena->SetWant(slots).IgnoreError();
    const absl::Status grown = arena->WaitReady(slots, kLong);
    if (!grown.ok()) return state.SkipWithError(std::string(grown.message()).c_str());
    times_ms.push_back(absl::ToDoubleMilliseconds(absl::Now() - start));
    state.SetIterationTime(times_ms.back() / 1000);
    GiveAllBack(*arena);
  }
  std::sort(times_ms.begin(), times_ms.end());
  const auto percentile = [&](double part) {
    return times_ms[static_cast<size_t>(std::ceil(part * static_cast<double>(times_ms.size()))) - 1];  // nearest rank
  };
  state.counters["p50_ms"] = percentile(0.5);
  state.counters["p99_ms"] = percentile(0.99);
  state.counters["max_ms"] = times_ms.back();
}

BENCHMARK(FromAnIdleNeighbour)
    ->Args({1, 0})
    ->Args({1, 50})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(200);
BENCHMARK(FromAnIdleNeighbour)->Args({10, 0})->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(30);

}  // namespace
}  // namespace kvbroker

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == kvbroker::kCacheHolderFlag) {
    return kvbroker::RunCacheHolder(argc - 2, argv + 2);
  }
  std::vector<char*> rest;
  for (int i = 0; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (absl::ConsumePrefix(&argument, "--kvb_device=")) {
      kvbroker::g_device = std::string(argument);
    } else {
      rest.push_back(argv[i]);
    }
  }
  int count = static_cast<int>(rest.size());
  benchmark::Initialize(&count, rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
