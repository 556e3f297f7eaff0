#ifndef KVBROKER_TESTS_SIM_SIM_BROKER_H_
#define KVBROKER_TESTS_SIM_SIM_BROKER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/arbiter.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_device.h"
#include "tests/sim/sim_worker.h"
#include "tests/sim/timeline.h"

namespace kvbroker::sim {

// The real arbiter and all around it: a shell that carries out its effects, a device, channels, and the clients' processes.
// What must hold whatever the clients do is checked here: memory is never over-committed, no honest client is refused or
// disconnected, nothing is told to who is not there. Thread-compatible.
//
//   SimBroker broker(options, policy, timeline, rng);
//   broker.Add(std::make_unique<SimClient>(broker.world(), ...));
//   while (!broker.failure().has_value() && timeline.Next()) {
//   }
class SimBroker {
 public:
  struct Options {
    Arbiter::Options arbiter;
    SimDevice::Options device;
    absl::Duration slowest_channel, slowest_worker;
    bool trace = false;  // keeps the last events and effects as text
  };
  // After each step, when its effects have been carried out.
  using Watch = std::function<void(const Event&, const std::vector<Effect>&)>;

  // `policy`, `timeline` and `rng` are not owned and must outlive this.
  SimBroker(const Options& options, const Policy& policy, Timeline& timeline, Rng& rng);

  // Starts its process.
  SimClient& Add(std::unique_ptr<SimClient> client);
  void OnStep(Watch watch) { watch_ = std::move(watch); }
  void OnDeath(std::function<void()> died) { died_ = std::move(died); }

  void Step(const Event& event);
  // Opens the broker to new sessions, or closes it to them; so is the next one.
  void Admit(bool open);
  // Kills the broker when it has carried out so many effects more, and starts the next one with what the journal has
  // `away` later.
  void CrashAfter(uint64_t effects, absl::Duration away);
  // As above, but of the journal only the records before a point that is chosen at random are left.
  void DamageJournalAtNextCrash() { damages_journal_ = true; }
  void RunFor(absl::Duration duration);
  void Fail(std::string what);
  void Trace(std::string line);

  SimClient::World& world() { return world_; }
  Arbiter& arbiter() { return *arbiter_; }
  SimDevice& device() { return device_; }
  SimWorker& worker() { return worker_; }
  const std::vector<std::unique_ptr<SimClient>>& clients() const { return clients_; }
  const SimClient& ClientOf(SessionId session) const { return sessions_.at(session)->client; }
  BrokerReport Report() const { return arbiter_->Report(timeline_.now()); }
  uint64_t steps() const { return steps_; }
  const std::optional<std::string>& failure() const { return failure_; }
  const std::deque<std::string>& last() const { return last_; }
  // Starts of a broker after its first.
  uint64_t restarts() const { return restarts_; }
  bool is_away() const { return away_; }
  // A journal was damaged: what was out then and is nobody's by now is on no account.
  bool forgot() const { return forgot_; }
  // Taken for others' memory, by all brokers in sum.
  Bytes written_off() const { return written_off_before_ + Report().counters.written_off; }
  // By how much what is not the broker's had grown at the newest look that arrived.
  Bytes others_at_look() const { return others_at_look_; }

 private:
  ConnectionPtr NewConnection(SimClient& client);
  void HangUp(const ConnectionPtr& connection);
  void Crash();
  void Restart();
  void EndIsSeen(SessionId session);
  void Died(SimClient& client);
  void Take(const Event& event);
  void NoteLastWord(const Event& event);
  void Perform(const effect::Journal& journal);
  void Perform(const effect::Admit& admit);
  void Perform(const effect::Refuse& refuse);
  void Perform(const effect::TellArenaOpened& opened);
  void Perform(const effect::TellGrant& grant);
  void Perform(const effect::TellRevoke& revoke);
  void Perform(const effect::TellTarget& target);
  void Perform(const effect::TellPolicy&) {}  // for the embedder, who asks for what it can use whatever the limit
  void Perform(const effect::TellRoomReady& ready);
  void Perform(const effect::TellTrim&) {}  // nobody answers: what was asked for must not be counted on for long
  void Perform(const effect::TellError& error);
  void Perform(const effect::Disconnect& disconnect);
  void Perform(const effect::EndProcess& end);
  void Perform(const effect::EndSession& end);
  void Perform(const effect::MakeExtents& make);
  void Perform(const effect::HandOver& batch);
  void Perform(const effect::DropBatch& drop);
  void Perform(const effect::DiscardMade& discard);
  void Perform(const effect::SampleDevice& sample) { worker_.Look(sample.delay); }
  void Perform(const effect::Note&) {}
  template <typename Told>
  void Tell(const Told& told, void (SimClient::*hear)(const Told&));

  void CheckEffect(const Effect& effect);
  void CheckMemory(const std::vector<Effect>& effects);

  const Options options_;
  Timeline& timeline_;
  Rng& rng_;
  SimDevice device_;
  SimWorker worker_;
  const Policy& policy_;
  std::unique_ptr<Arbiter> arbiter_;
  std::vector<Record> journal_;  // of the broker that lives; what it began with, and what it wrote
  std::map<std::string, TenantPolicy> set_tenants_;
  bool admits_ = true;
  std::optional<uint64_t> effects_to_crash_;
  absl::Duration away_for_;
  bool away_ = false;
  bool damages_journal_ = false;
  bool forgot_ = false;
  uint64_t restarts_ = 0;
  Bytes written_off_before_;
  SimClient::World world_;
  Watch watch_;
  std::function<void()> died_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::map<ConnectionId, ConnectionPtr> connections_;
  std::map<SessionId, ConnectionPtr> sessions_;
  std::map<LeaseId, SessionId> leases_;
  std::set<SessionId> ended_;
  std::set<SessionId> silent_;  // said or lost their last word
  std::deque<Event> events_;
  bool stepping_ = false;
  Bytes others_at_look_;
  uint64_t steps_ = 0;
  std::optional<std::string> failure_;
  std::deque<std::string> last_;
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_SIM_BROKER_H_
