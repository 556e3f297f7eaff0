#include "tests/sim/sim_broker.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/describe.h"

namespace kvbroker::sim {
namespace {

constexpr size_t kTraceLines = 1000;

}  // namespace

SimBroker::SimBroker(const Options& options, const Policy& policy, Timeline& timeline, Rng& rng)
    : options_(options),
      timeline_(timeline),
      rng_(rng),
      device_(options.device, timeline_, rng_),
      worker_(device_, timeline_, rng_, options.slowest_worker,
              {.event = [this](Event event) { Step(event); },
               .sample =
                   [this](SimWorker::Sample sample) {
                     others_at_look_ = sample.others_grew;
                     Step(sample.event);
                   }}),
      policy_(policy),
      arbiter_(std::make_unique<Arbiter>(options.arbiter, policy)),
      world_({.device = device_,
              .timeline = timeline_,
              .rng = rng_,
              .connect = [this](SimClient& client) { return NewConnection(client); },
              .arrive =
                  [this](const ConnectionPtr& connection, Event event) {
                    if (connection->epoch == world_.epoch) Step(event);
                  },
              .died = [this](SimClient& client) { Died(client); }}) {
  worker_.Look(absl::ZeroDuration());
}

SimClient& SimBroker::Add(std::unique_ptr<SimClient> client) {
  client->Start();
  clients_.push_back(std::move(client));
  return *clients_.back();
}

void SimBroker::RunFor(absl::Duration duration) {
  bool over = false;
  timeline_.After(duration, [&over] { over = true; });
  while (!over && !failure_.has_value() && timeline_.Next()) {
  }
}

ConnectionPtr SimBroker::NewConnection(SimClient& client) {
  const ConnectionId id(connections_.size() + 1);
  auto connection = std::make_shared<Connection>(id, client, timeline_, rng_, options_.slowest_channel);
  connection->epoch = world_.epoch;
  connections_[id] = connection;
  if (away_) HangUp(connection);
  return connection;
}

void SimBroker::HangUp(const ConnectionPtr& connection) {
  connection->closed_by_broker = true;
  connection->frames_down.Send([connection] {
    connection->client.Arrive(
        connection, [connection] { connection->client.Closed(); }, [] {});
  });
}

void SimBroker::Died(SimClient& client) {
  for (const auto& [session, connection] : sessions_) {
    if (&connection->client == &client) EndIsSeen(session);
  }
  if (died_) died_();
}

// The broker that lives now hears, some time later, that the session's process has ended.
void SimBroker::EndIsSeen(SessionId session) {
  timeline_.After(rng_.UpTo(absl::Milliseconds(300)), [this, session, epoch = world_.epoch] {
    if (epoch == world_.epoch) Step(event::ProcessEnded{.session = session});
  });
}

// ---------------------------------------------------------------- the end of a broker, and the next one

void SimBroker::CrashAfter(uint64_t effects, absl::Duration away) {
  effects_to_crash_ = effects;
  away_for_ = away;
}

void SimBroker::Crash() {
  effects_to_crash_.reset();
  away_ = true;
  written_off_before_ += Report().counters.written_off;
  events_.clear();
  worker_.Die();
  for (const auto& [id, connection] : connections_) {
    if (connection->epoch == world_.epoch && !connection->closed_by_broker) HangUp(connection);
  }
  if (options_.trace) Trace("---- the broker is killed");
  timeline_.After(away_for_, [this] { Restart(); });
}

void SimBroker::Restart() {
  away_ = false;
  ++restarts_;
  ++world_.epoch;
  if (std::exchange(damages_journal_, false)) {
    forgot_ = true;
    journal_.resize(rng_.Below(journal_.size() + 1));
  }
  Accounts accounts;
  for (const Record& record : journal_) accounts.Apply(record);
  journal_ = accounts.Records();
  Arbiter::Options options = options_.arbiter;
  options.set_tenants = set_tenants_;
  options.admits = admits_;
  arbiter_ = std::make_unique<Arbiter>(options, policy_);
  ended_.clear();
  silent_.clear();
  leases_.clear();
  sessions_.clear();
  for (const auto& [id, session] : accounts.sessions()) {
    silent_.insert(id);
    SimClient& client = *clients_.at(static_cast<size_t>(session.process.pid) - 1);
    auto gone = std::make_shared<Connection>(ConnectionId(), client, timeline_, rng_, options_.slowest_channel);
    gone->closed_by_broker = true;
    sessions_[id] = std::move(gone);
  }
  for (const auto& [id, lease] : accounts.leases()) leases_[id] = lease.session;
  Step(event::Recovered{accounts});
  for (const auto& [id, session] : accounts.sessions()) {
    if (!ClientOf(id).alive()) Step(event::ProcessEnded{.session = id});
  }
  worker_.Look(absl::ZeroDuration());
}

// ---------------------------------------------------------------- steps

void SimBroker::Step(const Event& event) {
  if (away_) return;
  if (const auto* set = std::get_if<event::SetTenant>(&event)) set_tenants_[set->tenant] = set->policy;
  if (const auto* deleted = std::get_if<event::DeleteTenant>(&event)) set_tenants_.erase(deleted->tenant);
  events_.push_back(event);
  if (std::exchange(stepping_, true)) return;
  while (!events_.empty() && !failure_.has_value()) {
    const Event next = std::move(events_.front());
    events_.pop_front();
    Take(next);
  }
  stepping_ = false;
}

void SimBroker::Admit(bool open) {
  admits_ = open;
  Step(event::Admission{.open = open});
}

void SimBroker::Take(const Event& event) {
  ++steps_;
  NoteLastWord(event);
  const std::vector<Effect> effects = arbiter_->Step(event, timeline_.now());
  // A look that changes nothing is not worth a line.
  if (options_.trace && !(std::holds_alternative<event::DeviceSample>(event) && effects.empty())) {
    Trace(absl::StrCat(absl::FormatTime("%H:%M:%E6S ", timeline_.now(), absl::UTCTimeZone()), Describe(event)));
  }
  for (const Effect& effect : effects) {
    if (options_.trace) Trace("    " + Describe(effect));
    CheckEffect(effect);
    std::visit([this](const auto& e) { Perform(e); }, effect);
    if (effects_to_crash_.has_value() && (*effects_to_crash_)-- == 0) return Crash();
  }
  CheckMemory(effects);
  if (watch_) watch_(event, effects);
}

void SimBroker::NoteLastWord(const Event& event) {
  std::visit(
      [this](const auto& e) {
        using E = std::decay_t<decltype(e)>;
        if constexpr (std::is_same_v<E, event::Goodbye> || std::is_same_v<E, event::Poisoned> ||
                      std::is_same_v<E, event::ConnectionLost> || std::is_same_v<E, event::ProcessEnded>) {
          silent_.insert(e.session);
        }
      },
      event);
}

void SimBroker::Perform(const effect::Journal& journal) {
  journal_.insert(journal_.end(), journal.records.begin(), journal.records.end());
}

void SimBroker::Perform(const effect::Admit& admit) {
  const ConnectionPtr connection = connections_.at(admit.connection);
  SimClient& client = connection->client;
  connection->session = admit.session;
  sessions_[admit.session] = connection;
  for (const effect::Admit::Arena& arena : admit.arenas) leases_[arena.lease] = admit.session;
  if (client.honest()) {
    for (const auto& [id, arena] : client.arenas()) {
      for (const SimDevice::Slot slot : arena.mapped) device_.Adopt(slot);
    }
  }
  if (!client.alive()) EndIsSeen(admit.session);
  connection->frames_down.Send([connection, admit] {
    connection->welcomed = true;
    connection->client.Arrive(
        connection, [connection, admit] { connection->client.Welcome(admit); }, [] {});
    for (const Timeline::Task& task : std::exchange(connection->before_welcome, {})) task();
  });
}

void SimBroker::Perform(const effect::Refuse& refuse) {
  const ConnectionPtr& connection = connections_.at(refuse.connection);
  connection->closed_by_broker = true;
  connection->frames_down.Send([connection] {
    connection->client.Arrive(
        connection, [connection] { connection->client.Refused(); }, [] {});
  });
}

template <typename Told>
void SimBroker::Tell(const Told& told, void (SimClient::*hear)(const Told&)) {
  const ConnectionPtr& connection = sessions_.at(told.session);
  connection->messages_down.Send([connection, told, hear] {
    const auto arrive = [connection, told, hear] {
      connection->client.Arrive(
          connection, [connection, told, hear] { (connection->client.*hear)(told); }, [] {});
    };
    if (connection->welcomed) {
      arrive();
    } else {
      connection->before_welcome.push_back(arrive);
    }
  });
}

void SimBroker::Perform(const effect::TellArenaOpened& opened) {
  leases_[opened.lease] = opened.session;
  Tell(opened, &SimClient::Opened);
}
void SimBroker::Perform(const effect::TellGrant& grant) { Tell(grant, &SimClient::Granted); }
void SimBroker::Perform(const effect::TellRevoke& revoke) { Tell(revoke, &SimClient::Revoked); }
void SimBroker::Perform(const effect::TellTarget& target) { Tell(target, &SimClient::Aim); }

void SimBroker::Perform(const effect::TellRoomReady& ready) { Tell(ready, &SimClient::RoomIsReady); }

void SimBroker::Perform(const effect::TellError& error) {
  // Room that can never be made, and wants that can never be met, are no fault of the client's.
  if (error.want_revision == 0 && error.request == 0 && sessions_.at(error.session)->client.honest()) {
    Fail(absl::StrCat("an honest client is refused: ", error.status.ToString()));
  }
  Tell(error, &SimClient::Erred);
}

void SimBroker::Perform(const effect::EndProcess& end) {
  SimClient& client = sessions_.at(end.session)->client;
  timeline_.After(rng_.UpTo(absl::Milliseconds(100)), [&client, end] {
    if (client.alive()) client.Signal(end.kill);
  });
}

void SimBroker::Perform(const effect::Disconnect& disconnect) {
  const ConnectionPtr& connection = sessions_.at(disconnect.session);
  if (connection->client.honest()) {
    Fail(absl::StrCat("an honest client is disconnected: ", disconnect.status.ToString()));
  }
  HangUp(connection);
  Step(event::ConnectionLost{.session = disconnect.session});
}

void SimBroker::Perform(const effect::EndSession& end) {
  const ConnectionPtr& connection = sessions_.at(end.session);
  ended_.insert(end.session);
  HangUp(connection);
}

void SimBroker::Perform(const effect::MakeExtents& make) { worker_.Make(make.lease, Sum(make.planes), make.slots); }

void SimBroker::Perform(const effect::HandOver& batch) {
  const ConnectionPtr& connection = sessions_.at(batch.session);
  std::vector<SimDevice::Slot> slots;
  if (batch.slots > 0) {
    std::optional<std::vector<SimDevice::Slot>> started = worker_.StartBatch(batch.lease, batch.batch, batch.slots);
    if (!started.has_value()) return Fail("slots are handed over that are not made, or beside a batch");
    slots = *std::move(started);
  }
  const auto lost = [this, slots] {
    for (const SimDevice::Slot slot : slots) device_.LetGo(slot);
  };
  connection->frames_down.Send([connection, batch, slots, lost] {
    connection->client.Arrive(
        connection, [connection, batch, slots] { connection->client.Handles(batch, slots); }, lost);
  });
}

void SimBroker::Perform(const effect::DropBatch& drop) {
  if (!worker_.DropBatch(drop.lease, drop.batch)) Fail("a batch is dropped that is not out");
}

void SimBroker::Perform(const effect::DiscardMade& discard) {
  if (!worker_.Discard(discard.lease, discard.slots)) Fail("slots are discarded that are not made");
}

// ---------------------------------------------------------------- what must hold

void SimBroker::CheckEffect(const Effect& effect) {
  std::visit(
      [this](const auto& e) {
        SessionId session;
        if constexpr (requires { e.lease; }) {
          const auto it = leases_.find(e.lease);
          if (it != leases_.end()) session = it->second;
        }
        if constexpr (requires { e.session; }) session = e.session;
        using E = std::decay_t<decltype(e)>;
        constexpr bool kTold = std::is_same_v<E, effect::TellGrant> || std::is_same_v<E, effect::TellRevoke> ||
                               std::is_same_v<E, effect::TellTarget> || std::is_same_v<E, effect::HandOver> ||
                               std::is_same_v<E, effect::MakeExtents>;
        if (kTold && silent_.count(session) != 0) {
          Fail(absl::StrCat("something is made for or told to session ", session.value(), ", which is not active"));
        }
        if (ended_.count(session) != 0)
          Fail(absl::StrCat("an effect for session ", session.value(), ", which has ended"));
      },
      effect);
}

void SimBroker::CheckMemory(const std::vector<Effect>& effects) {
  const absl::Status invariants = arbiter_->CheckInvariants();
  if (!invariants.ok()) Fail(std::string(invariants.message()));
  const bool making = std::any_of(effects.begin(), effects.end(), [](const Effect& effect) {
    return std::holds_alternative<effect::MakeExtents>(effect);
  });
  if (!making) return;
  // I1: what is to be made fits into what the device had at the look, and leaves the headroom.
  const Bytes grown_since = device_.others_grew() - others_at_look_;
  if (worker_.unmade() + options_.arbiter.device.headroom > device_.free() + grown_since) {
    Fail(absl::StrCat(ToString(worker_.unmade()), " to be made of ", ToString(device_.free()), " free"));
  }
}

void SimBroker::Fail(std::string what) {
  if (!failure_.has_value()) failure_ = std::move(what);
}

void SimBroker::Trace(std::string line) {
  last_.push_back(std::move(line));
  if (last_.size() > kTraceLines) last_.pop_front();
}

}  // namespace kvbroker::sim
