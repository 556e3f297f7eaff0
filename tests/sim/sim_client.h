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
  uint64_t epoch = 0;
  SessionId session;
  bool closed_by_broker = false;
  // The control channel is opened after Welcome: what was said before waits there.
  bool welcomed = false;
  std::vector<Timeline::Task> before_welcome;
};
using ConnectionPtr = std::shared_ptr<Connection>;

// An engine's process that keeps to the protocol, under any weather: it wants more and less, fetches ahead, gives back,
// reports what it holds as it is, answers targets in its own time or never, asks for room, says things twice, stops
// answering, loses its connection and comes back, forks, is poisoned, or dies. Thread-compatible.
class SimClient {
 public:
  using Slot = SimDevice::Slot;

  static constexpr absl::Duration kNever = absl::InfiniteDuration();

  struct Traits {
    // How often in a hundred thoughts.
    uint64_t dies = 0;
    uint64_t leaves_a_child = 0;  // of the deaths
    uint64_t disconnects = 0;
    uint64_t freezes = 0;
    uint64_t is_poisoned = 0;
    uint64_t leaves = 0;
    uint64_t asks_for_room = 0;
    uint64_t repeats = 0;  // of the messages
    uint64_t nacks = 0;    // of the batches
    uint64_t pins = 0;     // of the reports: some of what it maps cannot be had
    absl::Duration thinks = absl::Milliseconds(20);
    absl::Duration imports = absl::Milliseconds(2);
    std::optional<absl::Duration> releases;  // from giving back to saying so; none: as long as a thought
    absl::Duration responds;                 // to a lowered target
    absl::Duration claims_to_respond;        // in its reports
    bool wants_within_target = true;         // else it goes on wanting what it wants, as our own client does
    bool grows = false;                      // wants all that its arenas could map
    Bytes floor;
    Bytes unit = MiB(2);  // extents are one or two of it
  };
  struct World {
    SimDevice& device;
    Timeline& timeline;
    Rng& rng;
    std::function<ConnectionPtr(SimClient&)> connect;
    std::function<void(const ConnectionPtr&, Event)> arrive;  // at the broker
    std::function<void(SimClient&)> died;
    uint64_t epoch = 1;           // of the broker that is there, or was last
    bool tells_external = false;  // liars say what they hold outside their arenas, too
  };
  // What is in its slots: so many cannot be had, so many are of running requests, the rest is all of one kind.
  struct Use {
    static constexpr size_t kSpare = kAgeClasses;
    static constexpr size_t kFree = kSpare + 1;
    static constexpr size_t kCompactable = kFree + 1;

    uint64_t pinned = 0, running = 0;
    size_t rest = 0;  // an age class, or one of the above
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
    uint64_t wish = 0;               // what it could use
    uint64_t want = 0, min_useful = 0, revision = 0;
    Use use;

    uint64_t unfetched() const { return granted - std::min(granted, revoked + received); }
    uint64_t held() const { return granted - revoked - released; }
    uint64_t here() const { return importing.size() + mapped.size(); }
  };
  // Memory outside the broker that it asked for.
  struct OwnRoom {
    uint64_t request = 0;
    Bytes bytes;
    bool ready = false;
    Bytes taken;
  };

  // `world` and what it names must outlive this.
  SimClient(World& world, const Traits& traits, int64_t pid, std::string tenant);
  virtual ~SimClient() = default;

  void Start();
  // Something arrives over `connection`. Where nobody is there to receive it, `lost` is done instead.
  void Arrive(const ConnectionPtr& connection, Timeline::Task task, Timeline::Task lost);

  void Welcome(const effect::Admit& admit);
  void Refused();
  virtual void Opened(const effect::TellArenaOpened& opened);
  void Granted(const effect::TellGrant& grant);
  void Revoked(const effect::TellRevoke& revoke);
  virtual void Aim(const effect::TellTarget& target);
  void RoomIsReady(const effect::TellRoomReady& ready);
  virtual void Erred(const effect::TellError& error);
  virtual void Handles(const effect::HandOver& batch, std::vector<Slot> slots);
  void Closed();

  // Nothing goes wrong any more: it answers, connects, and wants what it wants.
  virtual void CalmDown();
  void Die(bool child = false);
  // The broker ends it.
  void Signal(bool kill);

  virtual bool honest() const { return true; }
  bool alive() const { return alive_; }
  bool connected() const { return session_.has_value() && connection_ != nullptr; }
  // With the broker that is there now.
  bool is_served() const { return connected() && connection_->epoch == world_.epoch; }
  int64_t pid() const { return pid_; }
  const std::string& tenant() const { return tenant_; }
  const Traits& traits() const { return traits_; }
  SessionId session() const { return session_.value_or(SessionId()); }
  const std::map<ArenaId, Arena>& arenas() const { return arenas_; }
  const std::optional<OwnRoom>& room() const { return room_; }
  // What it has allocated beside the broker.
  Bytes outside() const { return outside_; }
  Bytes mapped() const;
  // Memory that was there before the broker.
  void Bring(uint64_t slots);

 protected:
  virtual void Think();
  virtual event::Hello Greeting();
  // Gives back so many mapped slots, and says so some time later.
  virtual void GiveBack(Arena& arena, uint64_t slots);
  virtual Holding HoldingOf(const Arena& arena);
  // What its newest batch holds is its own from now on.
  virtual void Adopted(Arena&) {}
  // The driver takes back what the dead process had.
  virtual void EndOfProcess();

  void SayReleased(const Arena& arena);
  void Report(const Arena& arena);
  // Comes down to the target, as far as it can.
  virtual void Answer();

  void ThinkAgain();
  void ReportAgain();
  void Connect();
  void Disconnect();
  void OpenArena();
  void OpenArena(std::vector<Bytes> planes, uint64_t slots);
  void CloseArena(ArenaId id);
  void ChangeUse(Arena& arena);
  // It could use so much; it says so as far as its target allows.
  void Wish(Arena& arena, uint64_t slots, uint64_t min_useful);
  void WantMore(Arena& arena, uint64_t slots, uint64_t min_useful);
  void Fetch(Arena& arena, BatchId confirm);
  void AskForRoom(Bytes bytes, absl::Duration ttl);
  void FillRoom();
  void SettleRoom();
  void SendFrame(Event event);
  void SendMessage(Event event);
  void LetGo(std::vector<Slot>& slots);
  void DropEverything();
  Arena* FindArena(LeaseId lease);
  Arena* AnyArena();
  // What counts towards its target, as far as it knows.
  Bytes Held() const;
  bool OverTarget() const { return target_.has_value() && Held() > *target_; }

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
  SessionId before_;  // the newest session it had, and of which epoch
  uint64_t before_epoch_ = 0;
  std::map<ArenaId, Arena> arenas_;
  uint64_t next_arena_ = 1;
  uint64_t revision_ = 0;
  std::optional<Bytes> target_;
  std::optional<OwnRoom> room_;
  Bytes outside_;  // allocated beside the broker

 private:
  struct Waiting {
    ConnectionPtr connection;
    Timeline::Task task, lost;
  };

  void AnswerLater();
  void WantWithinTarget(Arena& arena);
  uint64_t WithinTarget(const Arena& arena, uint64_t slots) const;
  void Imported(ArenaId arena, const effect::HandOver& batch, const ConnectionPtr& connection);
  void Thaw();

  std::deque<Waiting> inbox_;  // while it is frozen
  absl::Time not_before_;      // it was refused, and tries again later
  bool answering_ = false;
  uint64_t target_revision_ = 0;
  uint64_t next_room_ = 1;
};

}  // namespace kvbroker::sim

#endif  // KVBROKER_TESTS_SIM_SIM_CLIENT_H_
