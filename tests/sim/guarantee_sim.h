#ifndef KVBROKER_TESTS_SIM_GUARANTEE_SIM_H_
#define KVBROKER_TESTS_SIM_GUARANTEE_SIM_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "broker/policy/fair_policy.h"
#include "tests/sim/plan_checks.h"
#include "tests/sim/sim_broker.h"

namespace kvbroker::sim {

// One schedule about guarantees: one or two tenants that are guaranteed memory want some of it, all of it or more, at once
// or bit by bit, and give it back; borrowers want without bound and answer targets in their own time.
//
// Honest borrowers report what they hold as it is, all of which they can give back but what was pinned from the start, and
// answer within the time they report; that and what the way takes is within every deadline. Then no guarantee is missed.
//
// Dishonest ones stall, take longer than they say, or claim to be able to return what they never will. Then some are
// missed, and the note of each names a session that really is to blame.
class GuaranteeSim {
 public:
  struct Options {
    uint64_t seed = 1;
    bool honest = true;
    bool pins = true;    // honest borrowers pin some of what they map, from the start
    bool strict = true;  // that a guarantee is missed, or nobody to blame is named, is a failure; else it is counted
    absl::Duration length = absl::Seconds(30);
    bool trace = false;
  };
  struct Result {
    uint64_t steps = 0;
    uint64_t waits = 0;            // for what is guaranteed, that were not over at once
    uint64_t misses = 0;           // as reckoned here
    uint64_t noted = 0;            // as the broker counted
    uint64_t accused = 0;          // sessions in its notes of misses
    uint64_t accused_wrongly = 0;  // of which honest
    uint64_t unexplained = 0;      // notes that name nobody who is to blame
    std::optional<std::string> failure;
    std::deque<std::string> last;

    // Adds the figures of another schedule; failure and trace stay.
    Result& operator+=(const Result& other);
  };

  explicit GuaranteeSim(const Options& options);
  Result Run();

 private:
  struct Scenario {
    SimBroker::Options broker;
    absl::Duration way;  // what an answer takes beside the borrower's own time, at the most
    Bytes slot;
    uint64_t slots = 0;  // of the device
    uint64_t guaranteed = 1, borrowers = 1;
    absl::Duration shortest_deadline = absl::InfiniteDuration();
  };
  static Scenario Choose(Rng& rng, const Options& options);

  void AddClients();
  // What a tenant had to have, over its deadline; a miss lasts until it has it.
  struct Due {
    std::deque<std::pair<absl::Time, Bytes>> levels;  // oldest first; one of them may be older than the deadline
    bool missed = false;
  };

  // A guarantee is missed when a tenant has less than the least that it should have had at every moment of the last
  // deadline: whole slots within its want and its guarantee, as far as they are of use, now too.
  void CheckDue();
  void CheckStep(const Event& event, const std::vector<Effect>& effects);
  void CheckMiss(const std::string& note);

  const Options options_;
  Rng rng_;
  const Scenario scenario_;
  Timeline timeline_;
  FairPolicy fair_policy_;
  WatchedPolicy policy_;
  SimBroker broker_;
  std::map<std::string, Due> due_;
  uint64_t plans_seen_ = 0;
  Result result_;
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_GUARANTEE_SIM_H_
