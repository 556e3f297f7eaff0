#ifndef KVBROKER_TESTS_SIM_SIMULATION_H_
#define KVBROKER_TESTS_SIM_SIMULATION_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/policy/fair_policy.h"
#include "tests/sim/plan_checks.h"
#include "tests/sim/sim_broker.h"

namespace kvbroker::sim {

// One schedule: a real arbiter with the policy it has in production, driven by a few clients, a device and an operator that
// a seed chose. What must hold is checked after every step; then nothing new goes wrong any more and what must come true is
// checked; then all clients end, and nothing may be left of them.
//
//   const Simulation::Result result = Simulation({.seed = 7}).Run();
class Simulation {
 public:
  struct Options {
    uint64_t seed = 1;
    uint64_t steps = 400;  // before it calms down
    bool trace = false;    // keeps the last events and effects as text
    bool oracle = false;   // compares every plan's shares with the oracle
    bool modest = true;    // some clients want no more than their targets allow
    bool crashes = false;  // the broker is killed now and then, between any two effects
    // Where all is calm nothing moves but for turns, and nobody lacks what it is entitled to.
    bool must_rest = true;
  };
  struct Result {
    uint64_t steps = 0;
    uint64_t plans = 0;
    std::optional<std::string> failure;
    uint64_t rooms_at_once = 0;  // ready, at the most
    uint64_t restarts = 0;
    std::deque<std::string> last;  // where traced
  };

  explicit Simulation(const Options& options);
  Result Run();

 private:
  // What the seed chose.
  struct Scenario {
    SimBroker::Options broker;
    SimClient::Traits traits;
    uint64_t clients = 1;
    uint64_t liars = 0;    // percent
    uint64_t growers = 0;  // percent
    uint64_t modest = 0;   // percent: want within their targets
    bool outsiders = false;
    bool operators = false;
    bool rooms = false;
  };
  static Scenario Choose(Rng& rng, bool trace);
  static TenantPolicy ChoosePolicy(Rng& rng, Bytes total);

  void Spawn(bool at_start);
  void ActFromOutside();
  void ActAsOperator();
  // What operators ask for once: tenants trimmed, deleted, nobody new, sessions given up.
  void AskForOnce();
  void ActAsFate();

  // --- What must hold.
  void CheckStep(const Event& event, const std::vector<Effect>& effects);
  void CheckGranted(const BrokerReport& report, const std::vector<Effect>& effects);
  void CheckHoldings(const BrokerReport& report);
  void CheckRooms(const BrokerReport& report, const std::vector<Effect>& effects);
  // Whether a process took memory beside the broker without a room that is ready, or keeps what it never settled.
  void NoteStrayGrowth(const BrokerReport& report);
  // What the owners of rooms that are ready may still take. None: somebody else grows as well, or ends in a way of his own.
  std::optional<Bytes> StillToTake(const BrokerReport& report) const;
  void CheckReserves(const BrokerReport& report, const Event& event);
  void CheckCalm();
  void CheckEverybodyIsServed();
  void CheckNothingIsLeft();

  const Options options_;
  Rng rng_;
  Rng once_;  // of its own, so that the other schedules are what they were
  const Scenario scenario_;
  Timeline timeline_;
  FairPolicy fair_policy_;
  WatchedPolicy policy_;
  SimBroker broker_;
  bool calm_ = false;
  uint64_t plans_seen_ = 0;
  Bytes deficit_;      // of the reserves, after the newest plan
  Bytes others_grew_;  // at the look before
  bool looked_ = true;
  Bytes charged_;   // after the newest plan
  Bytes returned_;  // after the step before
  absl::Time last_change_;
  uint64_t moved_slots_ = 0;
  std::map<size_t, absl::Time> owed_since_;  // by tenant
  std::set<SessionId> ready_rooms_;          // after the step before
  std::map<int64_t, Bytes> outside_seen_;    // of each process
  bool strays_ = false;
  uint64_t rooms_at_once_ = 0;
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_SIMULATION_H_
