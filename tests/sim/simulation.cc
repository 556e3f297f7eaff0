#include "tests/sim/simulation.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/describe.h"
#include "tests/sim/sim_liar.h"

namespace kvbroker::sim {
namespace {

constexpr const char* kTenants[] = {"a", "b", "c"};
constexpr size_t kMostProcesses = 12;
constexpr size_t kTraceLines = 300;
// Longer than anything in a schedule takes: a child's life, a frozen client, memory on its way.
constexpr absl::Duration kUntilCalm = absl::Seconds(30);

Bytes MappedBy(const SimClient& client) {
  Bytes mapped;
  for (const auto& [id, arena] : client.arenas()) mapped += arena.slot * arena.mapped.size();
  return mapped;
}

const BrokerReport::Session* RowOf(const BrokerReport& report, SessionId session) {
  for (const BrokerReport::Session& row : report.sessions) {
    if (row.id == session) return &row;
  }
  return nullptr;
}

}  // namespace

Simulation::Scenario Simulation::Choose(Rng& rng) {
  Scenario s;
  s.device = {.total = MiB(2) * rng.Between(20, 120),
              .slowest_free = rng.Among(std::vector{absl::Microseconds(100), absl::Milliseconds(10),
                                                    absl::Milliseconds(300), absl::Seconds(3)}),
              .create_fails = rng.Chance(25) ? rng.Between(1, 20) : 0};
  s.arbiter.device.headroom = MiB(1) * (rng.Chance(50) ? 0 : rng.Below(20));
  if (rng.Chance(40)) s.arbiter.device.cap = MiB(2) * rng.Between(5, 120);
  for (const char* tenant : kTenants) {
    if (rng.Chance(30))
      s.arbiter.tenants[tenant].limit = MiB(1) * rng.Between(0, 120);
    else
      s.arbiter.tenants[tenant] = {};
  }
  s.slowest_channel = rng.Among(std::vector{absl::Microseconds(50), absl::Milliseconds(3), absl::Milliseconds(60)});
  s.slowest_worker = rng.Among(std::vector{absl::Microseconds(50), absl::Milliseconds(1), absl::Milliseconds(20)});
  s.traits.thinks = rng.Among(std::vector{absl::Milliseconds(2), absl::Milliseconds(20), absl::Milliseconds(200)});
  s.traits.imports = rng.Among(std::vector{absl::Microseconds(100), absl::Milliseconds(10)});
  if (rng.Chance(70)) {
    s.traits.dies = rng.Below(4);
    s.traits.leaves_a_child = rng.Chance(50) ? 50 : 0;
    s.traits.disconnects = rng.Below(4);
    s.traits.freezes = rng.Below(3);
    s.traits.is_poisoned = rng.Below(2);
    s.traits.leaves = rng.Below(3);
    s.traits.repeats = rng.Below(30);
    s.traits.nacks = rng.Below(10);
  }
  s.clients = rng.Between(1, 5);
  s.liars = rng.Chance(35) ? rng.Between(20, 60) : 0;
  s.outsiders = rng.Chance(35);
  s.operators = rng.Chance(50);
  return s;
}

Simulation::Simulation(const Options& options)
    : options_(options),
      rng_(options.seed),
      scenario_(Choose(rng_)),
      device_(scenario_.device, timeline_, rng_),
      worker_(device_, timeline_, rng_, scenario_.slowest_worker,
              {.event = [this](Event event) { Step(event); },
               .sample =
                   [this](SimWorker::Sample sample) {
                     others_at_look_ = sample.others_grew;
                     Step(sample.event);
                   }}),
      arbiter_(scenario_.arbiter, policy_),
      world_({.device = device_,
              .timeline = timeline_,
              .rng = rng_,
              .connect = [this](SimClient& client) { return NewConnection(client); },
              .arrive = [this](const ConnectionPtr&, Event event) { Step(event); },
              .died = [this](SimClient& client) { Died(client); }}) {}

Simulation::Result Simulation::Run() {
  for (uint64_t i = 0; i < scenario_.clients; ++i) Spawn(/*at_start=*/true);
  worker_.Look(absl::ZeroDuration());
  if (scenario_.outsiders) ActFromOutside();
  if (scenario_.operators) ActAsOperator();
  while (result_.steps < options_.steps && !result_.failure.has_value() && timeline_.Next()) {
  }

  calm_ = true;
  worker_.LookEvery(absl::Seconds(2));
  device_.StopFailing();
  device_.UseFromOutside(Bytes());
  for (size_t i = 0; i < clients_.size(); ++i) clients_[i]->CalmDown();
  RunFor(kUntilCalm);
  CheckCalm();

  for (size_t i = 0; i < clients_.size(); ++i) clients_[i]->Die();
  RunFor(kUntilCalm);
  CheckNothingIsLeft();
  return std::move(result_);
}

void Simulation::RunFor(absl::Duration duration) {
  bool over = false;
  timeline_.After(duration, [&over] { over = true; });
  while (!over && !result_.failure.has_value() && timeline_.Next()) {
  }
}

// ---------------------------------------------------------------- the world

void Simulation::Spawn(bool at_start) {
  if (clients_.size() >= kMostProcesses) return;
  const auto pid = static_cast<int64_t>(clients_.size() + 1);
  const std::string tenant = kTenants[rng_.Below(std::size(kTenants))];
  std::unique_ptr<SimClient> client;
  if (rng_.Chance(scenario_.liars)) {
    client = std::make_unique<SimLiar>(world_, scenario_.traits, pid, tenant);
  } else {
    client = std::make_unique<SimClient>(world_, scenario_.traits, pid, tenant);
  }
  // Some come from an earlier broker.
  if (at_start && rng_.Chance(20)) client->Bring(rng_.Between(1, 10));
  client->Start();
  clients_.push_back(std::move(client));
}

ConnectionPtr Simulation::NewConnection(SimClient& client) {
  const ConnectionId id(connections_.size() + 1);
  auto connection = std::make_shared<Connection>(id, client, timeline_, rng_, scenario_.slowest_channel);
  connections_[id] = connection;
  return connection;
}

void Simulation::Died(SimClient& client) {
  for (const auto& [session, connection] : sessions_) {
    if (&connection->client != &client) continue;
    timeline_.After(rng_.UpTo(absl::Milliseconds(300)),
                    [this, session = session] { Step(event::ProcessEnded{.session = session}); });
  }
  timeline_.After(rng_.UpTo(absl::Milliseconds(300)), [this] {
    if (!calm_) Spawn(/*at_start=*/false);
  });
}

void Simulation::ActFromOutside() {
  timeline_.After(rng_.UpTo(absl::Seconds(1)), [this] {
    if (calm_) return;
    device_.UseFromOutside(Bytes(rng_.Below(device_.total().in_bytes())));
    ActFromOutside();
  });
}

void Simulation::ActAsOperator() {
  timeline_.After(rng_.UpTo(absl::Seconds(1)), [this] {
    if (calm_) return;
    std::optional<Bytes> limit;
    if (rng_.Chance(70)) limit = rng_.Chance(5) ? Bytes(UINT64_MAX) : MiB(1) * rng_.Below(150);
    Step(event::SetLimit{.tenant = kTenants[rng_.Below(std::size(kTenants))], .limit = limit});
    ActAsOperator();
  });
}

// ---------------------------------------------------------------- the broker's shell

void Simulation::Step(const Event& event) {
  events_.push_back(event);
  if (std::exchange(stepping_, true)) return;
  while (!events_.empty() && !result_.failure.has_value()) {
    const Event next = std::move(events_.front());
    events_.pop_front();
    Take(next);
  }
  stepping_ = false;
}

void Simulation::Take(const Event& event) {
  ++result_.steps;
  NoteLastWord(event);
  const std::vector<Effect> effects = arbiter_.Step(event, timeline_.now());
  // A look that changes nothing is not worth a line.
  if (options_.trace && !(std::holds_alternative<event::DeviceSample>(event) && effects.empty())) {
    Trace(absl::StrCat(absl::FormatTime("%H:%M:%E6S ", timeline_.now(), absl::UTCTimeZone()), Describe(event)));
  }
  for (const Effect& effect : effects) {
    if (options_.trace) Trace("    " + Describe(effect));
    CheckEffect(effect);
    std::visit([this](const auto& e) { Perform(e); }, effect);
  }
  CheckStep(effects);
}

void Simulation::NoteLastWord(const Event& event) {
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

void Simulation::Perform(const effect::Admit& admit) {
  const ConnectionPtr& connection = connections_.at(admit.connection);
  SimClient& client = connection->client;
  connection->session = admit.session;
  sessions_[admit.session] = connection;
  for (const LeaseId lease : admit.leases) leases_[lease] = admit.session;
  if (client.honest()) {
    for (const auto& [id, arena] : client.arenas()) {
      for (const SimDevice::Slot slot : arena.mapped) device_.Adopt(slot);
    }
  }
  if (!client.alive()) {
    timeline_.After(rng_.UpTo(absl::Milliseconds(300)),
                    [this, session = admit.session] { Step(event::ProcessEnded{.session = session}); });
  }
  connection->frames_down.Send([connection, admit] {
    connection->welcomed = true;
    connection->client.Arrive(
        connection, [connection, admit] { connection->client.Welcome(admit); }, [] {});
    for (const Timeline::Task& task : std::exchange(connection->before_welcome, {})) task();
  });
}

void Simulation::Perform(const effect::Refuse& refuse) {
  const ConnectionPtr& connection = connections_.at(refuse.connection);
  connection->closed_by_broker = true;
  connection->frames_down.Send([connection] {
    connection->client.Arrive(
        connection, [connection] { connection->client.Refused(); }, [] {});
  });
}

template <typename Told>
void Simulation::Tell(const Told& told, void (SimClient::*hear)(const Told&)) {
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

void Simulation::Perform(const effect::TellArenaOpened& opened) {
  leases_[opened.lease] = opened.session;
  Tell(opened, &SimClient::Opened);
}
void Simulation::Perform(const effect::TellGrant& grant) { Tell(grant, &SimClient::Granted); }
void Simulation::Perform(const effect::TellRevoke& revoke) { Tell(revoke, &SimClient::Revoked); }
void Simulation::Perform(const effect::TellTarget& target) { Tell(target, &SimClient::Aim); }

void Simulation::Perform(const effect::TellError& error) {
  if (sessions_.at(error.session)->client.honest())
    Fail(absl::StrCat("an honest client is refused: ", error.status.ToString()));
}

void Simulation::Perform(const effect::Disconnect& disconnect) {
  const ConnectionPtr& connection = sessions_.at(disconnect.session);
  if (connection->client.honest()) {
    Fail(absl::StrCat("an honest client is disconnected: ", disconnect.status.ToString()));
  }
  connection->closed_by_broker = true;
  connection->frames_down.Send([connection] {
    connection->client.Arrive(
        connection, [connection] { connection->client.Closed(); }, [] {});
  });
  Step(event::ConnectionLost{.session = disconnect.session});
}

void Simulation::Perform(const effect::EndSession& end) {
  const ConnectionPtr& connection = sessions_.at(end.session);
  ended_.insert(end.session);
  connection->closed_by_broker = true;
  connection->frames_down.Send([connection] {
    connection->client.Arrive(
        connection, [connection] { connection->client.Closed(); }, [] {});
  });
}

void Simulation::Perform(const effect::MakeExtents& make) {
  Bytes slot;
  for (const Bytes plane : make.planes) slot += plane;
  worker_.Make(make.lease, slot, make.slots);
}

void Simulation::Perform(const effect::HandOver& batch) {
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

void Simulation::Perform(const effect::DropBatch& drop) {
  if (!worker_.DropBatch(drop.lease, drop.batch)) Fail("a batch is dropped that is not out");
}

void Simulation::Perform(const effect::DiscardMade& discard) {
  if (!worker_.Discard(discard.lease, discard.slots)) Fail("slots are discarded that are not made");
}

// ---------------------------------------------------------------- what must hold

void Simulation::CheckEffect(const Effect& effect) {
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

void Simulation::CheckStep(const std::vector<Effect>& effects) {
  const absl::Status invariants = arbiter_.CheckInvariants();
  if (!invariants.ok()) Fail(std::string(invariants.message()));
  const BrokerReport report = arbiter_.Report(timeline_.now());

  // I2, over all: what the broker issued is charged until it is free. Where others shrink while bytes are on their way
  // back, the device's sums cannot tell the two apart: by so much, and no more, may too much be credited. What a liar
  // or a dead process's child keeps is written off, and all the same not lent again (I1).
  if (report.charged + device_.others_shrank() + report.counters.written_off < device_.issued()) {
    Fail(absl::StrCat("charged ", ToString(report.charged), " and out ", ToString(device_.issued())));
  }

  std::set<SessionId> granted;
  bool making = false;
  for (const Effect& effect : effects) {
    if (const auto* grant = std::get_if<effect::TellGrant>(&effect)) granted.insert(grant->session);
    making = making || std::holds_alternative<effect::MakeExtents>(effect);
  }
  // I1: what is to be made fits into what the device had at the look, and leaves the headroom.
  const Bytes grown_since = device_.others_grew() - others_at_look_;
  if (making && worker_.unmade() + scenario_.arbiter.device.headroom > device_.free() + grown_since) {
    Fail(absl::StrCat(ToString(worker_.unmade()), " to be made of ", ToString(device_.free()), " free"));
  }
  for (const BrokerReport::Tenant& tenant : report.tenants) {
    const bool got = std::any_of(granted.begin(), granted.end(), [&](SessionId session) {
      return sessions_.at(session)->client.tenant() == tenant.name;
    });
    if (got && tenant.limit.has_value() && tenant.charged > *tenant.limit) {
      Fail(absl::StrCat("tenant ", tenant.name, " is granted beyond its limit"));
    }
  }
  CheckHoldings(report);
}

void Simulation::CheckHoldings(const BrokerReport& report) {
  for (const std::unique_ptr<SimClient>& client : clients_) {
    if (!client->honest() || !client->alive() || !client->connected()) continue;
    const BrokerReport::Session* row = RowOf(report, client->session());
    if (row == nullptr || row->state != SessionState::kActive) continue;
    if (row->active + row->in_flight < MappedBy(*client)) {
      Fail(absl::StrCat("session ", row->id.value(), " maps ", ToString(MappedBy(*client)), " and is charged ",
                        ToString(row->active + row->in_flight)));
    }
  }
}

void Simulation::CheckCalm() {
  if (result_.failure.has_value()) return;
  const BrokerReport report = arbiter_.Report(timeline_.now());
  Bytes held;
  for (const std::unique_ptr<SimClient>& client : clients_) {
    if (!client->alive()) continue;
    if (!client->connected()) return Fail(absl::StrCat("process ", client->pid(), " is not served"));
    const BrokerReport::Session* row = RowOf(report, client->session());
    if (row == nullptr || row->state != SessionState::kActive) return Fail("a living client's session is not active");
    if (row->charged != MappedBy(*client)) {
      return Fail(absl::StrCat("session ", row->id.value(), " maps ", ToString(MappedBy(*client)), " and is charged ",
                               ToString(row->charged)));
    }
    for (const auto& [id, arena] : client->arenas()) {
      if (arena.fetching) return Fail(absl::StrCat("session ", row->id.value(), " waits for a Fetch's answer"));
    }
    held += row->charged;
  }
  if (report.charged != held || report.charged != device_.issued()) {
    return Fail(absl::StrCat("charged ", ToString(report.charged), ", held ", ToString(held), ", out ",
                             ToString(device_.issued())));
  }
  if (!worker_.holds_nothing()) return Fail("the broker kept memory for nobody");
  CheckEverybodyIsServed(report);
}

void Simulation::CheckEverybodyIsServed(const BrokerReport& report) {
  Bytes available = MinusOrZero(device_.free(), scenario_.arbiter.device.headroom);
  const Bytes capacity = report.capacity;
  if (report.cap.has_value()) available = std::min(available, MinusOrZero(*report.cap, report.charged));
  // Whoever is first in the queue, its least useful part does not fit. That is sure where one of them fits whoever it
  // is.
  std::optional<Bytes> most;
  for (const std::unique_ptr<SimClient>& client : clients_) {
    if (!client->alive()) continue;
    for (const BrokerReport::Tenant& tenant : report.tenants) {
      if (tenant.name != client->tenant()) continue;
      for (const auto& [id, arena] : client->arenas()) {
        if (arena.want <= arena.held()) continue;
        const uint64_t missing = arena.want - arena.held();
        const Bytes least = arena.slot * std::min(std::max<uint64_t>(arena.min_useful, 1), missing);
        if (tenant.limit.has_value() && least > MinusOrZero(*tenant.limit, tenant.charged)) continue;
        if (arena.slot * arena.held() + least > capacity) continue;
        most = std::max(most.value_or(Bytes()), least);
      }
    }
  }
  if (most.has_value() && available >= *most) {
    Fail(absl::StrCat("a want of ", ToString(*most), " is not met with ", ToString(available), " free"));
  }
}

void Simulation::CheckNothingIsLeft() {
  if (result_.failure.has_value()) return;
  const BrokerReport report = arbiter_.Report(timeline_.now());
  if (!report.sessions.empty()) Fail(absl::StrCat(report.sessions.size(), " sessions are left, and nobody lives"));
  if (!report.charged.IsZero()) Fail("bytes are charged, and nobody lives");
  if (!worker_.holds_nothing()) Fail("the broker kept memory, and nobody lives");
  if (device_.free() != device_.total()) Fail("the device is not empty, and nobody lives");
}

void Simulation::Fail(std::string what) {
  if (!result_.failure.has_value()) result_.failure = std::move(what);
}

void Simulation::Trace(std::string line) {
  result_.last.push_back(std::move(line));
  if (result_.last.size() > kTraceLines) result_.last.pop_front();
}

}  // namespace kvbroker::sim
