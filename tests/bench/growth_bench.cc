// How long growing takes, as a client sees it, beside the bare calls of the same work in the same run.
//
//   bazel run -c opt //tests/bench:growth_bench                              on the host device
//   bazel run -c opt //tests/bench:growth_bench -- --kvb_device=cuda:0       on a GPU; add --kvb_busy to keep it busy
//
// Bare: this process creates, maps and unmaps by itself: the floor. OnDemand: through a broker in its own process, made
// when asked for. MadeAhead: the broker has made it before, the client maps it. Each line is 1 GiB in all; the argument
// is the slot's size in MiB.

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "common/device/cuda/driver_api.h"
#include "common/device/extent.h"
#include "common/device/open_device.h"
#include "tests/bench/give_all_back.h"
#include "tests/testing/broker_process.h"

namespace kvbroker {
namespace {

constexpr Bytes kGrowth = GiB(1);
constexpr absl::Duration kLong = absl::Seconds(30);
// Before each growth, of whatever kind: what is to be made ahead is made, and processor and GPU have come to rest, as
// they have when an engine's load grows after a while (a bare loop without it is a third faster than its first turn).
constexpr absl::Duration kRest = absl::Milliseconds(30);

std::string g_device = "host";
bool g_busy = false;

// What all benchmarks share; made once, on first use.
struct World {
  std::unique_ptr<BrokerProcess> broker = BrokerProcess::Start({"--host-memory", "3GiB"}, g_device);
  std::unique_ptr<Device> device = *OpenDevice(g_device, {.role = DeviceRole::kMapper, .host_memory = GiB(3)});
};

World& TheWorld() {
  static World& world = *new World;
  return world;
}

std::unique_ptr<Session> OpenSession() {
  return *Session::Open({.tenant = "bench", .engine = "growth_bench", .socket = TheWorld().broker->engine_socket()});
}

// Keeps the GPU writing to a few GiB from a thread of this process, where that was asked for.
class Busy {
 public:
  Busy() {
    if (!g_busy || !absl::StartsWith(g_device, "cuda")) return;
    thread_ = std::thread([this] {
      Device& device = *TheWorld().device;
      const Extent extent = *Extent::Create(device, GiB(2));
      const Reservation range = *Reservation::Create(device, GiB(2));
      const DriverApi& cuda = **DriverApi::Load();
      if (!device.BindThread().ok() || !device.Map(range.address(), GiB(2), extent.raw()).ok()) return;
      while (!stop_) {
        for (int i = 0; i < 8; ++i) cuda.memset_d32(range.address(), 7, GiB(2) / Bytes(4));
        cuda.ctx_synchronize();
      }
      device.Unmap(range.address(), GiB(2)).IgnoreError();
    });
  }
  ~Busy() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void Bare(benchmark::State& state) {
  const Busy busy;
  Device& device = *TheWorld().device;
  if (!device.BindThread().ok()) return state.SkipWithError("the device cannot be used");
  const Bytes slot = MiB(static_cast<uint64_t>(state.range(0)));
  const uint64_t slots = kGrowth / slot;
  const Reservation range = *Reservation::Create(device, kGrowth);
  for ([[maybe_unused]] auto _ : state) {
    std::vector<Extent> extents;
    absl::SleepFor(kRest);
    const absl::Time start = absl::Now();
    for (uint64_t i = 0; i < slots; ++i) {
      absl::StatusOr<Extent> extent = Extent::Create(device, slot);
      if (!extent.ok()) return state.SkipWithError(std::string(extent.status().message()).c_str());
      if (!device.Map(range.address() + i * slot.in_bytes(), slot, extent->raw()).ok()) {
        return state.SkipWithError("an extent could not be mapped");
      }
      extents.push_back(*std::move(extent));
    }
    state.SetIterationTime(absl::ToDoubleSeconds(absl::Now() - start));
    for (uint64_t i = 0; i < slots; ++i) device.Unmap(range.address() + i * slot.in_bytes(), slot).IgnoreError();
  }
}

void Grow(benchmark::State& state, uint64_t ahead_slots) {
  const Busy busy;
  const Bytes slot = MiB(static_cast<uint64_t>(state.range(0)));
  const uint64_t slots = kGrowth / slot;
  const auto session = OpenSession();
  const auto arena = *session->CreateArena({.planes = {slot}, .slots = slots, .low = 0, .ahead = ahead_slots * slots});
  for ([[maybe_unused]] auto _ : state) {
    Eventually(kLong,
               [&] { return TheWorld().broker->Status()->memory().granted() == (kGrowth * ahead_slots).in_bytes(); });
    absl::SleepFor(kRest);
    const absl::Time start = absl::Now();
    arena->SetWant(slots).IgnoreError();
    if (!arena->WaitReady(slots, kLong).ok()) return state.SkipWithError("the arena did not grow");
    state.SetIterationTime(absl::ToDoubleSeconds(absl::Now() - start));
    GiveAllBack(*arena);
  }
}

void OnDemand(benchmark::State& state) { Grow(state, 0); }
void MadeAhead(benchmark::State& state) { Grow(state, 1); }

// One slot there and back again, in so many sessions at once: full cycles a second in all.
void Cycles(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<std::unique_ptr<Arena>> arenas;
  for (size_t i = 0; i < count; ++i) {
    sessions.push_back(OpenSession());
    arenas.push_back(*sessions.back()->CreateArena({.planes = {MiB(2)}, .slots = 4, .low = 0}));
  }
  std::atomic<uint64_t> cycles{0};
  for ([[maybe_unused]] auto _ : state) {
    std::vector<std::thread> threads;
    const absl::Time start = absl::Now();
    for (auto& arena : arenas) {
      threads.emplace_back([&, a = arena.get()] {
        for (int i = 0; i < 20; ++i) {
          a->SetWant(1).IgnoreError();
          if (!a->WaitReady(1, kLong).ok()) return;
          GiveAllBack(*a);
          ++cycles;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    state.SetIterationTime(absl::ToDoubleSeconds(absl::Now() - start));
  }
  state.counters["grants/s"] = benchmark::Counter(static_cast<double>(cycles.load()), benchmark::Counter::kIsRate);
  arenas.clear();
}

void TakeAndReturn(benchmark::State& state) {
  const auto session = OpenSession();
  const auto arena = *session->CreateArena({.planes = {MiB(2)}, .slots = 256, .low = 0, .high = 256});
  arena->SetWant(256).IgnoreError();
  if (!arena->WaitReady(256, kLong).ok()) return state.SkipWithError("the arena did not grow");
  for ([[maybe_unused]] auto _ : state) {
    const std::optional<uint64_t> slot = arena->Take();
    benchmark::DoNotOptimize(slot);
    arena->Return(*slot).IgnoreError();
  }
}

// A growth is long, and giving back afterwards longer: a few of each, and their spread.
void BySlot(benchmark::internal::Benchmark* benchmark) {
  for (const int mib : {2, 8, 32, 128}) benchmark->Arg(mib);
  benchmark->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(1)->Repetitions(15)->ReportAggregatesOnly();
}

BENCHMARK(TakeAndReturn);
BENCHMARK(Bare)->Apply(BySlot);
BENCHMARK(MadeAhead)->Apply(BySlot);
BENCHMARK(OnDemand)->Apply(BySlot);
BENCHMARK(Cycles)->Arg(1)->Arg(8)->Arg(64)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(3);

}  // namespace
}  // namespace kvbroker

int main(int argc, char** argv) {
  std::vector<char*> rest;
  for (int i = 0; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (absl::ConsumePrefix(&argument, "--kvb_device=")) {
      kvbroker::g_device = std::string(argument);
    } else if (argument == "--kvb_busy") {
      kvbroker::g_busy = true;
    } else {
      rest.push_back(argv[i]);
    }
  }
  int count = static_cast<int>(rest.size());
  benchmark::Initialize(&count, rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
  kvbroker::TheWorld().broker.reset();
  return 0;
}
