// How long one decision of the policy takes.
//
//   bazel run -c opt //tests/bench:fair_plan_bench
//
// So many tenants of one session with one lease each; every other one wants more than it has. Settled: everybody has its
// share, the device is full. Reclaiming: those that want nothing more hold more than their shares and are asked. Starving: a
// turn is given as well.

#include <benchmark/benchmark.h>

#include <string>

#include "broker/policy/fair_policy.h"
#include "broker/policy/policy.h"

namespace kvbroker {
namespace {

enum Scene { kSettled, kReclaiming, kStarving };

PolicySnapshot MakeSnapshot(uint64_t tenants, Scene scene) {
  const Bytes slot = MiB(32);
  PolicySnapshot snapshot{.capacity = slot * 40 * tenants};
  for (uint64_t i = 0; i < tenants; ++i) {
    const bool waits = i % 2 == 0;
    const bool holds_much = scene != kSettled && !waits;
    const uint64_t held = scene == kSettled ? 40 : holds_much ? 80 : 0;
    PolicySnapshot::Tenant tenant = {.name = "tenant-" + std::to_string(i), .charged = slot * held};
    tenant.policy.weight = 100;
    tenant.policy.guarantee = scene != kSettled && i % 4 == 0 ? slot * 10 : Bytes();
    tenant.policy.limit = slot * 200;
    if (scene != kSettled) tenant.policy.tenant_class = static_cast<TenantClass>(i % 3);
    tenant.floor = scene == kStarving ? slot * 60 : Bytes();
    snapshot.tenants.push_back(tenant);
    PolicySnapshot::Session session = {.id = SessionId(i + 1), .tenant = i, .charged = slot * held, .reported = true};
    for (Bytes& bytes : session.holding.cached_by_age) bytes = slot * (held / 16);
    session.holding.spare = slot * (held / 16);
    session.holding.free = slot * (held / 16);
    session.holding.response = absl::Milliseconds(40);
    snapshot.sessions.push_back(session);
    snapshot.leases.push_back({.id = LeaseId(i + 1),
                               .session = i,
                               .tenant = i,
                               .slot = slot,
                               .held = held,
                               .wanted = waits ? 160 : held,
                               .waiting_since = waits ? i + 1 : 0,
                               .waiting = scene == kStarving && waits ? absl::Seconds(3) : absl::ZeroDuration()});
  }
  return snapshot;
}

void Plan(benchmark::State& state, Scene scene) {
  const PolicySnapshot snapshot = MakeSnapshot(static_cast<uint64_t>(state.range(0)), scene);
  const FairPolicy policy;
  for (auto _ : state) benchmark::DoNotOptimize(policy.Plan(snapshot));
}
BENCHMARK_CAPTURE(Plan, Settled, kSettled)->Arg(4)->Arg(64)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Plan, Reclaiming, kReclaiming)->Arg(4)->Arg(64)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Plan, Starving, kStarving)->Arg(4)->Arg(64)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace kvbroker

BENCHMARK_MAIN();
