#ifndef KVBROKER_TESTS_SIM_SIM_LIAR_H_
#define KVBROKER_TESTS_SIM_SIM_LIAR_H_

#include <vector>

#include "tests/sim/sim_client.h"

namespace kvbroker::sim {

// A process that speaks the protocol to do harm: it claims to have given back what it keeps, brings along what it never
// had, confirms and refuses batches that are not there, ignores targets, claims to hold anything at any price, asks for
// room it does not need, and sends numbers without sense. Calmed down, it dies.
class SimLiar : public SimClient {
 public:
  using SimClient::SimClient;

  void Aim(const effect::TellTarget&) override {}
  void Erred(const effect::TellError&) override {}
  void Handles(const effect::HandOver& batch, std::vector<Slot> slots) override;
  void CalmDown() override;
  bool honest() const override { return false; }

 protected:
  void Think() override;
  event::Hello Greeting() override;
  void GiveBack(Arena& arena, uint64_t slots) override;
  Holding HoldingOf(const Arena& arena) override;
  void EndOfProcess() override;

 private:
  void Lie();
  uint64_t Number();
  Bytes SomeBytes();
  absl::Duration SomeTime();

  std::vector<Slot> kept_;
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_SIM_LIAR_H_
