#include "broker/server/broker.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "broker/server/convert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status.h"
#include "common/ipc/peer.h"

namespace kvbroker {
namespace {

constexpr size_t kMostPending = 256;  // connections that have not said who they are
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);

// All but what connections and gRPC may need: 1,024 descriptors, or half of them where there are few.
int DescriptorsForSlots() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::numeric_limits<int>::max();
  const rlim_t most = std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max());
  return static_cast<int>(std::max(most / 2, most - std::min<rlim_t>(most, 1024)));
}

std::string InWords(const effect::TellGrant& told) {
  return absl::StrCat("granted session=", told.session.value(), " lease=", told.lease.value(),
                      " slots_since_opening=", told.total);
}

std::string InWords(const effect::TellTarget& told) {
  std::string text = absl::StrCat("target session=", told.session.value(),
                                  " max=", told.max.has_value() ? absl::StrCat(told.max->in_bytes()) : "none");
  if (told.within > absl::ZeroDuration()) {
    absl::StrAppend(&text, " within=", absl::FormatDuration(absl::Trunc(told.within, absl::Milliseconds(1))));
  }
  if (!told.reason.empty()) absl::StrAppend(&text, ": ", told.reason);
  return text;
}

std::string Serialized(const v1::BrokerFrame& frame) { return frame.SerializeAsString(); }

}  // namespace

absl::StatusOr<std::unique_ptr<Broker>> Broker::Create(const Options& options, const Policy& policy, Device& device,
                                                       Journal& journal, EventLoop& loop, InheritedSockets inherited) {
  KVB_ASSIGN_OR_RETURN(const DeviceMemory memory, device.Memory());
  std::unique_ptr<Broker> broker(new Broker(options, policy, device, journal, loop, std::move(inherited)));
  KVB_RETURN_IF_ERROR(broker->Open(options.engine_socket, ""));
  for (const auto& [tenant, socket] : options.tenant_sockets) KVB_RETURN_IF_ERROR(broker->Open(socket, tenant));
  for (const std::string& path : broker->inherited_.left()) {
    LogWarning("systemd listens on ", path, ", where this broker serves nobody: its own is ", options.engine_socket);
  }
  broker->Recover(Accounts(journal.accounts()));
  broker->Sampled(memory);
  for (const Door& door : broker->doors_) KVB_RETURN_IF_ERROR(broker->Listen(door));
  return broker;
}

Broker::Broker(const Options& options, const Policy& policy, Device& device, Journal& journal, EventLoop& loop,
               InheritedSockets inherited)
    : options_(options),
      journal_(journal),
      loop_(loop),
      arbiter_(options.arbiter, policy),
      inherited_(std::move(inherited)),
      worker_(device, DescriptorsForSlots(),
              {.made =
                   [this](LeaseId lease, std::vector<MadeSlot> slots) {
                     auto shared = std::make_shared<std::vector<MadeSlot>>(std::move(slots));
                     loop_.Post([this, lease, shared] {
                       const uint64_t count = shared->size();
                       made_.Add(lease, std::move(*shared));
                       Handle(event::Made{.lease = lease, .slots = count});
                     });
                   },
               .failed =
                   [this](LeaseId lease, uint64_t slots, absl::Status error) {
                     loop_.Post([this, lease, slots, error = std::move(error)] {
                       Handle(event::MakeFailed{.lease = lease, .slots = slots, .error = error});
                     });
                   },
               .sampled =
                   [this](absl::StatusOr<DeviceMemory> memory) {
                     loop_.Post([this, memory = std::move(memory)] { Sampled(memory); });
                   }}) {}

Broker::~Broker() {
  for (const Door& door : doors_) loop_.Unwatch(door.listener.get());
  for (auto& [id, pending] : pending_) loop_.Unwatch(pending.socket.get());
  for (auto& [id, client] : clients_) {
    if (client.socket.valid()) loop_.Unwatch(client.socket.get());
    if (client.pidfd.valid()) loop_.Unwatch(client.pidfd.get());
  }
  control_.Shutdown();
}

BrokerReport Broker::Report() const {
  BrokerReport report = arbiter_.Report(MonotonicNow());
  report.used_by_broker = own_share_;
  return report;
}

absl::StatusOr<Arbiter::CheckedChange> Broker::CheckTenantChange(const Arbiter::TenantChange& change) const {
  return arbiter_.CheckTenantChange(change);
}

void Broker::SetTenant(const std::string& tenant, const TenantPolicy& policy) {
  Handle(event::SetTenant{.tenant = tenant, .policy = policy});
}

absl::StatusOr<Arbiter::CheckedChange> Broker::CheckTenantDeletion(const std::string& tenant,
                                                                   uint64_t if_revision) const {
  return arbiter_.CheckTenantDeletion(tenant, if_revision);
}

void Broker::DeleteTenant(const std::string& tenant) { Handle(event::DeleteTenant{.tenant = tenant}); }

absl::Status Broker::Squeeze(const std::string& tenant, Bytes to, absl::Duration within) {
  KVB_RETURN_IF_ERROR(arbiter_.CheckSqueeze(tenant, to));
  Handle(event::Squeeze{.tenant = tenant, .to = to, .until = MonotonicNow() + within});
  return absl::OkStatus();
}

void Broker::EndSqueeze(const std::string& tenant) { Handle(event::Squeeze{.tenant = tenant}); }

void Broker::Admit(bool open) { Handle(event::Admission{.open = open}); }

absl::Status Broker::Forget(SessionId session) {
  KVB_RETURN_IF_ERROR(arbiter_.CheckForget(session));
  Handle(event::Forget{.session = session});
  return absl::OkStatus();
}

absl::Status Broker::Configure(event::Configured configured, const std::map<std::string, std::string>& tenant_sockets) {
  Handle(std::move(configured));
  absl::Status first;
  for (const auto& [tenant, socket] : tenant_sockets) {
    const bool open =
        std::any_of(doors_.begin(), doors_.end(), [&](const Door& door) { return door.tenant == tenant; });
    if (open) continue;
    absl::Status opened = Open(socket, tenant);
    if (opened.ok()) {
      opened = Listen(doors_.back());
      if (!opened.ok()) doors_.pop_back();  // the next time it is tried anew
    }
    first.Update(opened);
  }
  return first;
}

absl::StatusOr<Arbiter::Simulation> Broker::Simulate(const std::string& tenant, std::optional<Bytes> want,
                                                     const std::optional<TenantPolicy>& policy) const {
  return arbiter_.Simulate(tenant, want, policy, MonotonicNow());
}

Arbiter::Simulation Broker::PlanNow() const { return arbiter_.PlanNow(MonotonicNow()); }

void Broker::NoteZeroing(const absl::Status& status) { Handle(event::ZeroingChecked{.status = status}); }

void Broker::Handle(Event event) {
  events_.push_back(std::move(event));
  if (std::exchange(handling_, true)) return;  // an effect caused it: after the others
  while (!events_.empty()) {
    const Event next = std::move(events_.front());
    events_.pop_front();
    for (Effect& effect : arbiter_.Step(next, MonotonicNow())) {
      if (options_.at_effect) options_.at_effect();
      std::visit([this](auto& e) { Perform(e); }, effect);
    }
    if (options_.at_effect) options_.at_effect();
  }
  handling_ = false;
}

// ---------------------------------------------------------------- what happens

void Broker::Recover(const Accounts& accounts) {
  std::vector<SessionId> ended;
  for (const auto& [id, session] : accounts.sessions()) {
    Client& client = clients_[id];
    client.control = std::make_shared<ControlChannel>([](v1::ClientMessage) {});  // nobody is at its other end
    absl::StatusOr<UniqueFd> process = OpenProcess(session.process);
    absl::Status watched = process.status();
    if (watched.ok()) {
      client.pidfd = *std::move(process);
      watched = loop_.Watch(client.pidfd.get(), [this, id = id] { ProcessEnded(id); });
    }
    if (watched.ok()) continue;
    // One that lives and cannot be watched comes back all the same; what it holds is others' until then.
    if (!absl::IsNotFound(watched)) LogWarning("session ", id.value(), ": ", watched.message());
    client.pidfd.Reset();
    ended.push_back(id);
  }
  Handle(event::Recovered{accounts});
  for (const SessionId id : ended) Handle(event::ProcessEnded{.session = id});
}

absl::Status Broker::Open(const std::string& socket, const std::string& tenant) {
  std::optional<UniqueFd> inherited = inherited_.Take(socket);
  if (inherited.has_value()) {
    doors_.push_back({.listener = *std::move(inherited), .tenant = tenant});
    return absl::OkStatus();
  }
  KVB_ASSIGN_OR_RETURN(UniqueFd listener, ListenSeqpacket(socket, options_.engine_socket_mode));
  doors_.push_back({.listener = std::move(listener), .tenant = tenant});
  return absl::OkStatus();
}

absl::Status Broker::Listen(const Door& door) {
  return loop_.Watch(door.listener.get(), [this, &door] { Accept(door); });
}

void Broker::Accept(const Door& door) {
  for (;;) {
    UniqueFd socket(accept4(door.listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) PauseAccepting(door, ErrnoToStatus(errno, "accept4"));
      return;
    }
    if (std::exchange(accept_fails_, false)) LogInfo("engines are accepted again");
    if (pending_.size() >= kMostPending) {
      Reject(socket.get(), absl::ResourceExhaustedError(absl::StrCat(
                               pending_.size(), " connections wait already without having said who they are")));
      continue;
    }
    const ConnectionId id(next_connection_++);
    const int fd = socket.get();
    Pending& pending = pending_[id];
    pending.socket = std::move(socket);
    pending.door = door.tenant;
    pending.timeout = loop_.At(MonotonicNow() + options_.hello_timeout, [this, id] {
      Reject(pending_.at(id).socket.get(), absl::DeadlineExceededError(absl::StrCat(
                                               "no Hello within ", absl::FormatDuration(options_.hello_timeout))));
      ClosePending(id);
    });
    const absl::Status watched = loop_.Watch(fd, [this, id] { FirstPacket(id); });
    if (!watched.ok()) ClosePending(id);
  }
}

void Broker::PauseAccepting(const Door& door, const absl::Status& error) {
  if (!std::exchange(accept_fails_, true)) LogError("engines cannot connect: ", error.message());
  // The connection that waits keeps the listener readable: watching on would keep the loop busy with nothing.
  loop_.Unwatch(door.listener.get());
  loop_.At(MonotonicNow() + kAcceptPause, [this, &door, error] {
    if (!Listen(door).ok()) PauseAccepting(door, error);
  });
}

void Broker::FirstPacket(ConnectionId connection) {
  Pending& pending = pending_.at(connection);
  absl::StatusOr<std::optional<Packet>> packet = ReceivePacket(pending.socket.get());
  if (packet.ok() && !packet->has_value()) return;
  if (!packet.ok()) {
    if (packet.status().code() != absl::StatusCode::kUnavailable) Reject(pending.socket.get(), packet.status());
    return ClosePending(connection);
  }
  const auto hello = [&]() -> absl::StatusOr<event::Hello> {
    v1::ClientFrame frame;
    if (!frame.ParseFromString((*packet)->bytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a packet of ", (*packet)->bytes.size(), " bytes that is no frame of the protocol"));
    }
    if ((*packet)->fds.size() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("Hello comes with 1 descriptor, the client's pidfd, not with ", (*packet)->fds.size()));
    }
    KVB_ASSIGN_OR_RETURN(const ProcessIdentity process,
                         IdentifyPeer(pending.socket.get(), (*packet)->fds.front().get()));
    KVB_ASSIGN_OR_RETURN(event::Hello said, ToHello(connection, process, options_.epoch, frame));
    said.cgroup = CgroupOf(process, (*packet)->fds.front().get());
    said.door = pending.door;
    return said;
  }();
  if (!hello.ok()) {
    Reject(pending.socket.get(), hello.status());
    return ClosePending(connection);
  }
  pending.pidfd = std::move((*packet)->fds.front());
  Handle(*hello);
}

void Broker::NextPacket(SessionId session) {
  const auto it = clients_.find(session);
  if (it == clients_.end() || !it->second.socket.valid()) return;
  absl::StatusOr<std::optional<Packet>> packet = ReceivePacket(it->second.socket.get());
  if (packet.ok() && !packet->has_value()) return;
  if (packet.status().code() == absl::StatusCode::kUnavailable) return ConnectionLost(session);
  const auto event = [&]() -> absl::StatusOr<Event> {
    KVB_RETURN_IF_ERROR(packet.status());
    v1::ClientFrame frame;
    if (!frame.ParseFromString((*packet)->bytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a packet of ", (*packet)->bytes.size(), " bytes that is no frame of the protocol"));
    }
    return ToEvent(session, frame);
  }();
  if (event.ok()) return Handle(*event);
  LogWarning("session disconnected session=", session.value(), ": ", event.status().message());
  effect::Disconnect disconnect = {.session = session, .status = event.status()};
  Perform(disconnect);
}

void Broker::ClientMessage(SessionId session, const v1::ClientMessage& message) {
  const auto it = clients_.find(session);
  if (it == clients_.end()) return;
  Handle(ToEvent(session, message));
  const auto after = clients_.find(session);
  if (after == clients_.end()) return;  // the session has ended over it
  if (message.has_arena_close()) after->second.control->ForgetArena(ArenaId(message.arena_close().arena_id()));
  after->second.control->Continue();
}

void Broker::ConnectionLost(SessionId session) {
  const auto it = clients_.find(session);
  if (it == clients_.end() || !it->second.socket.valid()) return;
  CloseSocket(it->second);
  Handle(event::ConnectionLost{.session = session});
}

void Broker::ProcessEnded(SessionId session) {
  Client& client = clients_.at(session);
  loop_.Unwatch(client.pidfd.get());
  client.pidfd.Reset();
  Handle(event::ProcessEnded{.session = session});
}

void Broker::Sampled(const absl::StatusOr<DeviceMemory>& memory) {
  if (absl::IsDataLoss(memory.status())) {
    LogError("the device is lost: ", memory.status().message(), "; all leases end, and so does this broker");
    end_ = memory.status();
    Handle(event::DeviceLost{.why = std::string(memory.status().message())});
    return loop_.Stop();
  }
  LookAtDevice(options_.sample_interval);
  if (!memory.ok()) {
    if (!std::exchange(device_fails_, true)) LogError("looking at the device failed: ", memory.status().message());
    return;
  }
  if (std::exchange(device_fails_, false)) LogInfo("the device answers again");
  own_share_ = memory->used_by_caller;
  Handle(event::DeviceSample{.total = memory->total, .free = memory->free});
}

void Broker::LookAtDevice(absl::Duration delay) {
  const absl::Time when = MonotonicNow() + delay;
  if (when >= next_look_) return;
  if (next_look_ != absl::InfiniteFuture()) loop_.Cancel(look_timer_);
  const auto look = [this] {
    next_look_ = absl::InfiniteFuture();
    worker_.Sample();
  };
  if (delay <= absl::ZeroDuration()) return look();
  next_look_ = when;
  look_timer_ = loop_.At(when, look);
}

// ---------------------------------------------------------------- what to do about it

void Broker::Perform(effect::Journal& journal) {
  const absl::Status kept = journal_.Append(journal.records);
  if (kept.ok()) {
    if (std::exchange(journal_fails_, false)) LogInfo("the journal is kept again");
  } else if (!std::exchange(journal_fails_, true)) {
    LogError("the journal is not kept: ", kept.message(),
             "; who is served is served on, and would have to come back to a new broker before it knows of them");
  }
}

void Broker::Perform(effect::Admit& admit) {
  Pending& pending = pending_.at(admit.connection);
  int ends[2];  // non-blocking, as gRPC takes them for granted
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    Reject(pending.socket.get(), ErrnoToStatus(errno, "socketpair"));
    ClosePending(admit.connection);
    return Handle(event::ProcessEnded{.session = admit.session});  // it never was
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);

  loop_.Cancel(pending.timeout);
  loop_.Unwatch(pending.socket.get());
  const SessionId session = admit.session;
  Client& client = clients_[session];
  client.socket = std::move(pending.socket);
  client.pidfd = std::move(pending.pidfd);
  client.control = std::make_shared<ControlChannel>([this, session](v1::ClientMessage message) {
    loop_.Post([this, session, message = std::move(message)] { ClientMessage(session, message); });
  });
  pending_.erase(admit.connection);
  control_.Serve(session, ours.Take(), client.control);

  v1::BrokerFrame frame;
  v1::Welcome& welcome = *frame.mutable_welcome();
  welcome.set_version(1);
  welcome.add_features("external");
  welcome.add_features("resume");
  welcome.set_session_id(session.value());
  welcome.set_epoch(options_.epoch);
  welcome.set_granularity(options_.arbiter.granularity.in_bytes());
  welcome.set_capacity(admit.capacity.in_bytes());
  welcome.set_limit(admit.limit.has_value() ? admit.limit->in_bytes() : UINT64_MAX);
  welcome.set_device_uuid(options_.arbiter.device_uuid);
  welcome.set_device_kind(options_.device_kind);
  const absl::Status sent = SendPacket(client.socket.get(), Serialized(frame), {theirs.get()});

  absl::Status watched = loop_.Watch(client.socket.get(), [this, session] { NextPacket(session); });
  if (watched.ok()) watched = loop_.Watch(client.pidfd.get(), [this, session] { ProcessEnded(session); });
  if (!sent.ok() || !watched.ok()) {
    LogWarning("welcome failed session=", session.value(), ": ", (sent.ok() ? watched : sent).message());
    return ConnectionLost(session);
  }
  for (const effect::Admit::Arena& arena : admit.arenas) {
    client.control->Send(
        ToMessage(effect::TellArenaOpened{.session = session, .arena = arena.id, .lease = arena.lease}));
  }
}

void Broker::Perform(effect::Refuse& refuse) {
  Reject(pending_.at(refuse.connection).socket.get(), refuse.status);
  ClosePending(refuse.connection);
}

template <typename Told>
void Broker::Perform(Told& told) {
  Send(told);
}

template <typename Told>
void Broker::Send(const Told& told) {
  if (const auto it = clients_.find(told.session); it != clients_.end()) it->second.control->Send(ToMessage(told));
}

void Broker::Perform(effect::TellGrant& told) {
  event_log_.Add(absl::Now(), /*warning=*/false, InWords(told));
  Send(told);
}

void Broker::Perform(effect::TellTarget& told) {
  event_log_.Add(absl::Now(), /*warning=*/false, InWords(told));
  Send(told);
}

void Broker::Perform(effect::Disconnect& disconnect) {
  const auto it = clients_.find(disconnect.session);
  if (it == clients_.end() || !it->second.socket.valid()) return;
  Reject(it->second.socket.get(), disconnect.status);
  ConnectionLost(disconnect.session);
}

void Broker::Perform(effect::EndProcess& end) {
  const auto it = clients_.find(end.session);
  if (it == clients_.end() || !it->second.pidfd.valid()) return;
  const int signal = end.kill ? SIGKILL : SIGTERM;
  if (syscall(SYS_pidfd_send_signal, it->second.pidfd.get(), signal, nullptr, 0) == 0) return;
  LogError("session ", end.session.value(),
           "'s process cannot be ended: ", ErrnoToStatus(errno, "pidfd_send_signal").message(),
           "; the broker needs CAP_KILL or the same user for tenants with missed_target end_process");
}

void Broker::Perform(effect::EndSession& end) {
  const auto it = clients_.find(end.session);
  if (it == clients_.end()) return;
  CloseSocket(it->second);
  if (it->second.pidfd.valid()) loop_.Unwatch(it->second.pidfd.get());
  it->second.control->Close();
  control_.Forget(end.session);
  clients_.erase(it);
}

void Broker::Perform(effect::MakeExtents& make) { worker_.Make(make.lease, make.planes, make.slots); }

void Broker::Perform(effect::HandOver& hand_over) {
  // Whether or not it can be sent: the arbiter counts the batch as out, and drops it by its number.
  std::vector<int> fds;
  if (hand_over.slots > 0) fds = made_.StartBatch(hand_over.lease, hand_over.batch, hand_over.slots);
  const auto it = clients_.find(hand_over.session);
  if (it == clients_.end() || !it->second.socket.valid()) return;  // its ConnectionLost is on its way
  v1::BrokerFrame frame;
  v1::Handles& handles = *frame.mutable_handles();
  handles.set_lease_id(hand_over.lease.value());
  handles.set_batch(hand_over.batch.value());
  handles.set_slots(static_cast<uint32_t>(hand_over.slots));
  const absl::Status sent = SendPacket(it->second.socket.get(), Serialized(frame), fds);
  if (sent.ok()) return;
  // One batch is out at a time, so a full socket means a client that floods its own channel; one that is gone is gone.
  LogWarning("hand-over failed session=", hand_over.session.value(), ": ", sent.message());
  ConnectionLost(hand_over.session);
}

void Broker::Perform(effect::DropBatch& drop) { worker_.Dispose(made_.TakeBatch(drop.lease, drop.batch)); }

void Broker::Perform(effect::DiscardMade& discard) { worker_.Dispose(made_.TakeMade(discard.lease, discard.slots)); }

void Broker::Perform(effect::SampleDevice& sample) { LookAtDevice(sample.delay); }

void Broker::Perform(effect::Note& note) {
  event_log_.Add(absl::Now(), note.level != effect::Note::Level::kInfo, note.text);
  Log(note.level == effect::Note::Level::kInfo ? LogLevel::kInfo : LogLevel::kWarning, note.text);
}

void Broker::Reject(int socket, const absl::Status& status) {
  // A peer that has gone needs no answer.
  SendPacket(socket, Serialized(ToRejected(status))).IgnoreError();
  LogInfo("connection rejected: ", status.message());
}

void Broker::ClosePending(ConnectionId connection) {
  const auto it = pending_.find(connection);
  loop_.Unwatch(it->second.socket.get());
  loop_.Cancel(it->second.timeout);
  pending_.erase(it);
}

void Broker::CloseSocket(Client& client) {
  if (!client.socket.valid()) return;
  loop_.Unwatch(client.socket.get());
  client.socket.Reset();
}

}  // namespace kvbroker
