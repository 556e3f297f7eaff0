#ifndef KVBROKER_BROKER_SERVER_BROKER_H_
#define KVBROKER_BROKER_SERVER_BROKER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/core/accounts.h"
#include "broker/core/arbiter.h"
#include "broker/journal/journal.h"
#include "broker/server/control.h"
#include "broker/server/event_log.h"
#include "broker/server/event_loop.h"
#include "broker/server/extent_worker.h"
#include "broker/server/inherited_sockets.h"
#include "broker/server/made_extents.h"
#include "common/base/unique_fd.h"
#include "common/device/device.h"
#include "common/ipc/packet.h"

namespace kvbroker {

// Drives the arbiter for real: turns what happens on sockets, pidfds, streams and the device into events, and carries
// out the effects. Everything it decides, the arbiter decides.
//
// Thread-bound to the loop's thread.
class Broker {
 public:
  struct Options {
    Arbiter::Options arbiter;
    std::string engine_socket;                          // path
    std::map<std::string, std::string> tenant_sockets;  // paths of those of one tenant alone, by tenant
    int engine_socket_mode = 0666;
    uint64_t epoch = 1;
    std::string device_kind;  // "cuda" or "host"
    absl::Duration sample_interval = absl::Milliseconds(100);
    absl::Duration hello_timeout = absl::Seconds(5);
    std::function<void()> at_effect;  // for tests: before each effect of a step, and after its last one
  };

  // Takes over what the journal says is out, looks at the device, and listens on the engine sockets. `policy`,
  // `device`, `journal` and `loop` are not owned and must outlive this.
  // A socket that is among `inherited` is taken from there in place of being made.
  static absl::StatusOr<std::unique_ptr<Broker>> Create(const Options& options, const Policy& policy, Device& device,
                                                        Journal& journal, EventLoop& loop,
                                                        InheritedSockets inherited = {});
  ~Broker();

  BrokerReport Report() const;
  // A change of a tenant's policy: checked, kept by the caller, then made. Between the two nobody else may change one.
  absl::StatusOr<Arbiter::CheckedChange> CheckTenantChange(const Arbiter::TenantChange& change) const;
  void SetTenant(const std::string& tenant, const TenantPolicy& policy);
  // The same for its deletion.
  absl::StatusOr<Arbiter::CheckedChange> CheckTenantDeletion(const std::string& tenant, uint64_t if_revision) const;
  void DeleteTenant(const std::string& tenant);
  // Has the tenant come down to so much, once, within that time. Errors as Arbiter::CheckSqueeze, and nothing happens.
  absl::Status Squeeze(const std::string& tenant, Bytes to, absl::Duration within);
  // It need not any more.
  void EndSqueeze(const std::string& tenant);
  // Opens the broker to new sessions, or closes it to them.
  void Admit(bool open);
  // Errors as Arbiter::CheckForget, and nothing happens.
  absl::Status Forget(SessionId session);
  // The configuration was read anew. `tenant_sockets` as in the options: those that are new are opened, none is closed. Where one
  // cannot be, says why, and the rest is done.
  absl::Status Configure(event::Configured configured, const std::map<std::string, std::string>& tenant_sockets);
  absl::StatusOr<Arbiter::Simulation> Simulate(const std::string& tenant, std::optional<Bytes> want,
                                               const std::optional<TenantPolicy>& policy) const;
  // The policy's snapshot and plan as they would be now.
  Arbiter::Simulation PlanNow() const;
  // What is known by now of whether the device zeroes what it gives out anew; OK: it does.
  void NoteZeroing(const absl::Status& status);

  // What happened lately.
  const EventLog& event_log() const { return event_log_; }

  uint64_t epoch() const { return options_.epoch; }
  // Why there is nothing more to serve: DATA_LOSS, the device is lost; the loop has been stopped over it. OK: there is.
  const absl::Status& end() const { return end_; }

 private:
  // A socket that engines connect to.
  struct Door {
    UniqueFd listener;
    std::string tenant;  // of whom alone it is; "": everybody's
  };
  // A connection that has not said Hello yet.
  struct Pending {
    UniqueFd socket;
    std::string door;  // the tenant whose own socket it came by
    EventLoop::TimerId timeout = 0;
    // From Hello, while the arbiter decides.
    UniqueFd pidfd;
  };
  // An admitted client.
  struct Client {
    UniqueFd socket;  // the hand-over channel; empty once it is closed
    UniqueFd pidfd;   // empty once the process has ended
    std::shared_ptr<ControlChannel> control;
  };

  Broker(const Options& options, const Policy& policy, Device& device, Journal& journal, EventLoop& loop,
         InheritedSockets inherited);

  // --- What happens.
  // What the journal tells, and which of its processes live.
  void Recover(const Accounts& accounts);
  absl::Status Open(const std::string& socket, const std::string& tenant);
  absl::Status Listen(const Door& door);
  void Accept(const Door& door);
  // Accepts nothing there for a while: for want of descriptors or memory, which others may let go of.
  void PauseAccepting(const Door& door, const absl::Status& error);
  void FirstPacket(ConnectionId connection);
  void NextPacket(SessionId session);
  void ClientMessage(SessionId session, const v1::ClientMessage& message);
  void ConnectionLost(SessionId session);
  void ProcessEnded(SessionId session);
  void Sampled(const absl::StatusOr<DeviceMemory>& memory);
  void LookAtDevice(absl::Duration delay);

  // Takes the event through the arbiter, and whatever follows from it, in order.
  void Handle(Event event);

  // --- What to do about it.
  void Perform(effect::Journal& journal);
  void Perform(effect::Admit& admit);
  void Perform(effect::Refuse& refuse);
  void Perform(effect::TellGrant& told);
  void Perform(effect::TellTarget& told);
  template <typename Told>
  void Perform(Told& told);
  template <typename Told>
  void Send(const Told& told);
  void Perform(effect::Disconnect& disconnect);
  void Perform(effect::EndProcess& end);
  void Perform(effect::EndSession& end);
  void Perform(effect::MakeExtents& make);
  void Perform(effect::HandOver& hand_over);
  void Perform(effect::DropBatch& drop);
  void Perform(effect::DiscardMade& discard);
  void Perform(effect::SampleDevice& sample);
  void Perform(effect::Note& note);

  void Reject(int socket, const absl::Status& status);
  void ClosePending(ConnectionId connection);
  void CloseSocket(Client& client);

  const Options options_;
  Journal& journal_;  // Not owned, as the loop.
  EventLoop& loop_;
  Arbiter arbiter_;

  InheritedSockets inherited_;  // that no door has yet
  std::deque<Door> doors_;
  std::map<ConnectionId, Pending> pending_;
  std::map<SessionId, Client> clients_;
  MadeExtents made_;
  std::deque<Event> events_;
  EventLog event_log_;
  bool handling_ = false;
  uint64_t next_connection_ = 1;
  Bytes own_share_;  // this process's share of the device, as of the newest look
  absl::Time next_look_ = absl::InfiniteFuture();
  EventLoop::TimerId look_timer_ = 0;
  bool device_fails_ = false;
  bool journal_fails_ = false;
  bool accept_fails_ = false;
  absl::Status end_;

  ControlService control_;
  ExtentWorker worker_;  // Last: its results use all of the above.
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_BROKER_H_
