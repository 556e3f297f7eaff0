#ifndef KVBROKER_TESTS_MODEL_WORLD_H_
#define KVBROKER_TESTS_MODEL_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "broker/core/accounts.h"
#include "broker/core/arbiter.h"
#include "common/base/ids.h"

namespace kvbroker::model {

// The real arbiter with everything around it as small as it can be, so that all that can happen can be tried: a device of a few
// slots, two clients with an arena each, a journal, and a broker that may be killed between any two effects of a step.
//
// Messages arrive at once and in order: what delays and reordering do is the simulator's subject. A client wants two slots,
// later one; takes what it is granted, gives back when it likes, and comes back with its inventory after each restart.
//
// A value: a copy goes its own way. Thread-compatible.
class World {
 public:
  struct Options {
    uint64_t slots = 3;    // that the device has, at least 2
    int crashes = 2;       // of clients and the broker, in sum
    int returns = 1;       // slots that each client gives back while it lives
    bool journals = true;  // false: what the broker writes is lost, and the check has to find it
  };

  static constexpr size_t kClients = 2;
  struct Action {
    enum class Kind {
      kConnect,    // with all it has; opens its arena where it has none
      kWant,       // the next of what it wants
      kFetch,      // what it was granted, mapped at once
      kConfirm,    // that it has
      kGiveBack,   // one slot
      kDie,        // SIGKILL
      kEndIsSeen,  // the broker hears of it
      kMake,       // the device makes what was asked for, one slot
      kLook,       // at the device
      kKill,       // the broker
      kRestart,    // the next one begins with the journal
    };
    Kind kind;
    size_t client = 0;
    // Of the effects of the step that it causes the broker carries out so many, and is killed. None: it lives.
    std::optional<size_t> killed_after;
  };

  explicit World(const Options& options);
  World(const World& other);
  World& operator=(const World&) = delete;

  // All that can happen next; each may also kill the broker on the way, while it may crash.
  std::vector<Action> Possible() const;
  bool may_crash() const { return crashes_ > 0; }
  // How many effects the broker's steps had.
  size_t Do(const Action& action);

  // What does not hold, if anything: now; and in the end, when both clients have died and the broker has seen all of it.
  std::optional<std::string> Wrong() const;
  std::optional<std::string> WrongInTheEnd() const;
  // A broker that is killed as soon as it has recovered leaves what it found.
  std::optional<std::string> RecoveryChanges() const;

  // All that decides what can happen from here on. Times are left out: none of them passes.
  std::string Key() const;

 private:
  struct Client {
    bool alive = true;
    bool is_connected = false;
    bool end_is_unseen = false;
    bool has_arena = false;
    SessionId session;
    LeaseId lease;
    uint64_t mapped = 0;
    uint64_t granted = 0, revoked = 0, received = 0, released = 0;  // of the lease, counted from its start
    uint64_t revision = 0;
    size_t wants = 0;  // it has wanted so many things, one after the other
    int returns = 0;
    BatchId unconfirmed;

    uint64_t unfetched() const { return granted - revoked - received; }
  };
  struct Batch {
    size_t client = 0;
    uint64_t slots = 0;
    bool is_mapped = false;  // its client has the same slots
  };
  using BatchKey = std::pair<LeaseId, BatchId>;

  // Slots of the device that somebody has.
  uint64_t Used() const;
  // Carries out a step's effects, or as many as the broker lives for.
  void Step(const Event& event);
  void Perform(const effect::Journal& journal);
  void Perform(const effect::Admit& admit);
  void Perform(const effect::TellArenaOpened& opened);
  void Perform(const effect::TellGrant& grant);
  void Perform(const effect::TellRevoke& revoke);
  void Perform(const effect::MakeExtents& make);
  void Perform(const effect::HandOver& batch);
  void Perform(const effect::DropBatch& drop);
  void Perform(const effect::DiscardMade& discard);
  void Perform(const effect::Refuse& refuse);
  void Perform(const effect::Disconnect& disconnect);
  void Perform(const effect::TellError& error);
  // Targets and looks are followed whenever it comes to that; the rest is for people.
  template <typename Other>
  void Perform(const Other&) {}

  void Connect(size_t client);
  void Want(Client& client);
  void Make(LeaseId lease);
  void Look();
  void Die(size_t client);
  void SeeEnd(size_t client);
  void Kill();
  void Restart();
  void Check();
  void Fail(std::string what);
  Client* ClientOf(SessionId session);
  Client* ClientOf(LeaseId lease);

  const Options options_;
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  std::unique_ptr<Arbiter> arbiter_;  // null: no broker lives
  Accounts journal_;
  std::vector<Client> clients_;
  std::map<LeaseId, uint64_t> to_make_;
  std::map<LeaseId, uint64_t> made_;   // and not handed over: the broker's own handles
  std::map<BatchKey, Batch> batches_;  // handles that the broker keeps until they are confirmed
  int crashes_ = 0;
  size_t effects_ = 0;  // of the action that is being done
  std::optional<size_t> killed_after_;
  std::optional<std::string> wrong_;
};

std::string ToString(const World::Action& action);

}  // namespace kvbroker::model

#endif  // KVBROKER_TESTS_MODEL_WORLD_H_
