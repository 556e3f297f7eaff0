#ifndef KVBROKER_TESTS_SIM_SIM_CLIENT_H_
#define KVBROKER_TESTS_SIM_SIM_CLIENT_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/effect.h"
#include "broker/core/event.h"
#include "tests/sim/sim_device.h"
#include "tests/sim/timeline.h"

namespace kvbroker::sim {

class SimClient;

// A connection: two channels each way, none of them ordered with another.
struct Connection {
  Connection(ConnectionId id, SimClient& client, Timeline& timeline, Rng& rng, absl::Duration slowest)
      : id(id),
        client(client),
        frames_up(timeline, rng, slowest),
        frames_down(timeline, rng, slowest),
        messages_up(timeline, rng, slowest),
        messages_down(timeline, rng, slowest) {}

  const ConnectionId id;
  SimClient& client;
  Channel frames_up, frames_down, messages_up, messages_down;
  // The broker's end.
  SessionId session;
  bool closed_by_broker = false;
  // The control channel is opened after Welcome: what was said before waits there.
  bool welcomed = false;
  std::vector<Timeline::Task> before_welcome;
};
using ConnectionPtr = std::shared_ptr<Connection>;

// An engine's process that keeps to the protocol, under any weather: it wants more and less, fetches ahead, gives back,
// says things twice, stops answering, loses its connection and comes back, forks, is poisoned, or dies.
// Thread-compatible.
class SimClient {
 public:
  using Slot = SimDevice::Slot;

  // How often in a hundred thoughts.
  struct Traits {
    uint64_t dies = 0;
    uint64_t leaves_a_child = 0;  // of the deaths
    uint64_t disconnects = 0;
    uint64_t freezes = 0;
    uint64_t is_poisoned = 0;
    uint64_t leaves = 0;
    uint64_t repeats = 0;  // of the messages
    uint64_t nacks = 0;    // of the batches
    absl::Duration thinks = absl::Milliseconds(20);
    absl::Duration imports = absl::Milliseconds(2);
  };
  struct World {
    SimDevice& device;
    Timeline& timeline;
    Rng& rng;
    std::function<ConnectionPtr(SimClient&)> connect;
    std::function<void(const ConnectionPtr&, Event)> arrive;  // at the broker
    std::function<void(SimClient&)> died;
  };
  struct Arena {
    ArenaDescription description;
    Bytes slot;
    LeaseId lease;
    uint64_t granted = 0, revoked = 0, received = 0, released = 0;  // since the lease began
    std::vector<Slot> importing, mapped;
    bool fetching = false;
    bool nothing_to_fetch = false;   // so the broker said
    bool heard_since_fetch = false;  // a Grant came since
    uint64_t want = 0, min_useful = 0, revision = 0;

    uint64_t unfetched() const { return granted - std::min(granted, revoked + received); }
    uint64_t held() const { return granted - revoked - released; }
  };

  // `world` and what it names must outlive this.
  SimClient(World& world, const Traits& traits, int64_t pid, std::string tenant);
  virtual ~SimClient() = default;

  void Start();
  // Something arrives over `connection`. Where nobody is there to receive it, `lost` is done instead.
  void Arrive(const ConnectionPtr& connection, Timeline::Task task, Timeline::Task lost);

  void Welcome(const effect::Admit& admit);
  void Refused();
  void Opened(const effect::TellArenaOpened& opened);
  void Granted(const effect::TellGrant& grant);
  void Revoked(const effect::TellRevoke& revoke);
  virtual void Aim(const effect::TellTarget& target);
  virtual void Handles(const effect::HandOver& batch, std::vector<Slot> slots);
  void Closed();

  // Nothing goes wrong any more: it answers, connects, and wants what it wants.
  virtual void CalmDown();
  void Die(bool child = false);

  virtual bool honest() const { return true; }
  bool alive() const { return alive_; }
  bool connected() const { return session_.has_value() && connection_ != nullptr; }
  int64_t pid() const { return pid_; }
  const std::string& tenant() const { return tenant_; }
  SessionId session() const { return session_.value_or(SessionId()); }
  const std::map<ArenaId, Arena>& arenas() const { return arenas_; }
  // Memory that was there before the broker.
  void Bring(uint64_t slots);

 protected:
  virtual void Think();
  virtual event::Hello Greeting();
  // Gives back so many mapped slots, and says so some time later.
  virtual void GiveBack(Arena& arena, uint64_t slots);
  // The driver takes back what the dead process had.
  virtual void EndOfProcess() { DropEverything(); }

  void SayReleased(const Arena& arena);

  void ThinkAgain();
  void Connect();
  void Disconnect();
  void OpenArena();
  void CloseArena(ArenaId id);
  void WantMore(Arena& arena, uint64_t slots, uint64_t min_useful);
  void Fetch(Arena& arena, BatchId confirm);
  void SendFrame(Event event);
  void SendMessage(Event event);
  void LetGo(std::vector<Slot>& slots);
  void DropEverything();
  Arena* FindArena(LeaseId lease);
  Arena* AnyArena();

  World& world_;
  const Traits traits_;
  const int64_t pid_;
  const std::string tenant_;

  bool alive_ = true;
  bool frozen_ = false;
  bool poisoned_ = false;
  bool leaving_ = false;
  bool calm_ = false;
  ConnectionPtr connection_;
  std::optional<SessionId> session_;
  SessionId before_;  // the newest session it had
  std::map<ArenaId, Arena> arenas_;
  uint64_t next_arena_ = 1;
  uint64_t revision_ = 0;

 private:
  struct Waiting {
    ConnectionPtr connection;
    Timeline::Task task, lost;
  };

  void Imported(ArenaId arena, const effect::HandOver& batch, const ConnectionPtr& connection);
  void Thaw();

  std::deque<Waiting> inbox_;  // while it is frozen
  absl::Time not_before_;      // it was refused, and tries again later
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_SIM_CLIENT_H_
