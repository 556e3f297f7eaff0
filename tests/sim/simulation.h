#ifndef KVBROKER_TESTS_SIM_SIMULATION_H_
#define KVBROKER_TESTS_SIM_SIMULATION_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/core/arbiter.h"
#include "broker/policy/first_come.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_device.h"
#include "tests/sim/sim_worker.h"
#include "tests/sim/timeline.h"

namespace kvbroker::sim {

// One schedule: a real arbiter, driven by a few clients, a device and an operator that a seed chose. What must hold is
// checked after every step; then nothing new goes wrong any more and what must come true is checked; then all clients
// end, and nothing may be left of them.
//
//   const Simulation::Result result = Simulation({.seed = 7}).Run();
class Simulation {
 public:
  struct Options {
    uint64_t seed = 1;
    uint64_t steps = 400;  // before it calms down
    bool trace = false;    // keeps the last events and effects as text
  };
  struct Result {
    uint64_t steps = 0;
    std::optional<std::string> failure;
    std::deque<std::string> last;  // where traced
  };

  explicit Simulation(const Options& options);
  Result Run();

 private:
  // What the seed chose.
  struct Scenario {
    Arbiter::Options arbiter;
    SimDevice::Options device;
    absl::Duration slowest_channel, slowest_worker;
    SimClient::Traits traits;
    uint64_t clients = 1;
    uint64_t liars = 0;  // percent
    bool outsiders = false;
    bool operators = false;
  };
  static Scenario Choose(Rng& rng);

  // --- The world.
  void Spawn(bool at_start);
  ConnectionPtr NewConnection(SimClient& client);
  void Died(SimClient& client);
  void ActFromOutside();
  void ActAsOperator();
  void RunFor(absl::Duration duration);

  // --- The broker's shell.
  void Step(const Event& event);
  void Take(const Event& event);
  void NoteLastWord(const Event& event);
  void Perform(const effect::Admit& admit);
  void Perform(const effect::Refuse& refuse);
  void Perform(const effect::TellArenaOpened& opened);
  void Perform(const effect::TellGrant& grant);
  void Perform(const effect::TellRevoke& revoke);
  void Perform(const effect::TellTarget& target);
  void Perform(const effect::TellError& error);
  void Perform(const effect::Disconnect& disconnect);
  void Perform(const effect::EndSession& end);
  void Perform(const effect::MakeExtents& make);
  void Perform(const effect::HandOver& batch);
  void Perform(const effect::DropBatch& drop);
  void Perform(const effect::DiscardMade& discard);
  void Perform(const effect::SampleDevice& sample) { worker_.Look(sample.delay); }
  void Perform(const effect::AnswerLimit&) {}
  void Perform(const effect::Note&) {}
  template <typename Told>
  void Tell(const Told& told, void (SimClient::*hear)(const Told&));

  // --- What must hold.
  void CheckEffect(const Effect& effect);
  void CheckStep(const std::vector<Effect>& effects);
  void CheckHoldings(const BrokerReport& report);
  void CheckCalm();
  void CheckEverybodyIsServed(const BrokerReport& report);
  void CheckNothingIsLeft();
  void Fail(std::string what);
  void Trace(std::string line);

  const Options options_;
  Rng rng_;
  const Scenario scenario_;
  Timeline timeline_;
  SimDevice device_;
  SimWorker worker_;
  FirstComePolicy policy_;
  Arbiter arbiter_;
  SimClient::World world_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::map<ConnectionId, ConnectionPtr> connections_;
  std::map<SessionId, ConnectionPtr> sessions_;
  std::map<LeaseId, SessionId> leases_;
  std::set<SessionId> ended_;
  std::set<SessionId> silent_;  // said or lost their last word
  std::deque<Event> events_;
  bool stepping_ = false;
  bool calm_ = false;
  Bytes others_at_look_;
  Result result_;
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_SIMULATION_H_
