#ifndef KVBROKER_TESTS_SIM_SIM_ENGINE_H_
#define KVBROKER_TESTS_SIM_SIM_ENGINE_H_

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/sim_client.h"

namespace kvbroker::sim {

// An engine with one arena that does what a script says, and nothing else by itself: it connects, opens its arena, wants
// what it is told to, and answers targets. Thread-compatible.
class SimEngine : public SimClient {
 public:
  // Done at each thought while its arena is open.
  using Script = std::function<void(SimEngine&)>;

  SimEngine(World& world, const Traits& traits, int64_t pid, std::string tenant, uint64_t slots, Script script)
      : SimClient(world, traits, pid, std::move(tenant)), slots_(slots), script_(std::move(script)) {}

  // --- For scripts.
  absl::Time now() const { return world_.timeline.now(); }
  Rng& rng() { return world_.rng; }
  const Arena& arena() const { return arenas().begin()->second; }
  uint64_t mapped() const { return arena().mapped.size(); }
  // What the broker has granted and it has not given back.
  uint64_t granted() const { return arena().held(); }
  void Want(uint64_t slots, uint64_t min_useful = 0);
  void Return(uint64_t slots) { GiveBack(mine(), std::min(slots, mapped())); }
  // So many of what it maps are in use; the rest was used last at `idle_since`.
  void Use(uint64_t running, absl::Time idle_since);
  void Pin(uint64_t slots) { mine().use.pinned = slots; }
  void ReportNow() { Report(mine()); }
  uint64_t refused_wants() const { return refused_wants_; }
  uint64_t pinned() const { return arena().use.pinned; }

  // Claims that all it maps is spare, whatever it is.
  bool claims_spare = false;
  // So many of a hundred slots that it maps are pinned.
  uint64_t pins_of_new = 0;
  // It does not do what it says it does: for those who look for such.
  bool to_blame = false;

  void Opened(const effect::TellArenaOpened& opened) override;
  void Erred(const effect::TellError& error) override;

 protected:
  void Think() override;
  Holding HoldingOf(const Arena& arena) override;
  void Adopted(Arena& arena) override;

 private:
  Arena& mine() { return arenas_.begin()->second; }

  const uint64_t slots_;
  const Script script_;
  absl::Time idle_since_;
  uint64_t refused_wants_ = 0;
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_SIM_ENGINE_H_
