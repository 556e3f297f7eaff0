#include "tests/sim/simulation.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/sim_liar.h"

namespace kvbroker::sim {
namespace {

constexpr const char* kTenants[] = {"a", "b", "c"};
constexpr size_t kMostProcesses = 12;
// Longer than anything in a schedule takes: a child's life, a frozen client, memory on its way.
constexpr absl::Duration kUntilCalm = absl::Seconds(30);
// Whatever is on its way has arrived by then.
constexpr absl::Duration kSettles = absl::Seconds(5);
// Shares are in bytes, and idle ones count less: a tenant that leaves the slot idle that crosses its share gains and loses
// it each 2 s. Where memory that was let go of shows only after 100 ms and more, sums of the device say too little.
constexpr uint64_t kMostSlotsAtRest = 3 * std::size(kTenants);
// Who is owed something has it by then, where all answer.
constexpr absl::Duration kPatience = absl::Seconds(8);

const BrokerReport::Session* RowOf(const BrokerReport& report, SessionId session) {
  for (const BrokerReport::Session& row : report.sessions) {
    if (row.id == session) return &row;
  }
  return nullptr;
}

}  // namespace

TenantPolicy Simulation::ChoosePolicy(Rng& rng, Bytes total) {
  TenantPolicy policy;
  const auto some = [&](uint64_t percent) { return Bytes(rng.Below(total.in_bytes() / 100 * percent + 1)); };
  if (rng.Chance(30)) policy.reserved = some(40);
  if (rng.Chance(40)) policy.guarantee = some(60);
  if (rng.Chance(40)) policy.limit = rng.Chance(5) ? Bytes(UINT64_MAX) : std::max(policy.assured(), some(120));
  policy.guarantee_deadline = rng.Among(std::vector{absl::Milliseconds(10), absl::Milliseconds(200), absl::Seconds(1)});
  policy.weight = rng.Among(std::vector<uint32_t>{1, 50, 100, 100, 300, 10'000});
  policy.tenant_class =
      rng.Among(std::vector{TenantClass::kInteractive, TenantClass::kInteractive, TenantClass::kInteractive,
                            TenantClass::kBatch, TenantClass::kBestEffort});
  if (rng.Chance(10)) policy.missed_target = MissedTarget::kEndProcess;
  return policy;
}

Simulation::Scenario Simulation::Choose(Rng& rng, bool trace) {
  Scenario s;
  const Bytes unit = rng.Chance(70) ? MiB(2) : MiB(128);
  const Bytes total = unit * rng.Between(20, 120);
  s.broker.device = {.total = total,
                     .slowest_free = rng.Among(std::vector{absl::Microseconds(100), absl::Milliseconds(10),
                                                           absl::Milliseconds(300), absl::Seconds(3)}),
                     .create_fails = rng.Chance(25) ? rng.Between(1, 20) : 0};
  Arbiter::Options& arbiter = s.broker.arbiter;
  arbiter.device.headroom = rng.Chance(50) ? Bytes() : Bytes(unit.in_bytes() / 2) * rng.Below(20);
  if (rng.Chance(40)) arbiter.device.cap = unit * rng.Between(5, 120);
  // What all are assured of is there, as the daemon sees to.
  Bytes left = std::min(MinusOrZero(total, arbiter.device.headroom), arbiter.device.cap.value_or(total));
  for (const char* tenant : kTenants) {
    arbiter.tenants[tenant] = rng.Chance(60) ? ChoosePolicy(rng, total) : TenantPolicy{};
    TenantPolicy& policy = arbiter.tenants[tenant];
    policy.reserved = std::min(policy.reserved, left);
    policy.guarantee = std::min(policy.guarantee, left);
    left -= policy.assured();
  }
  s.broker.slowest_channel =
      rng.Among(std::vector{absl::Microseconds(50), absl::Milliseconds(3), absl::Milliseconds(60)});
  s.broker.slowest_worker =
      rng.Among(std::vector{absl::Microseconds(50), absl::Milliseconds(1), absl::Milliseconds(20)});
  s.broker.trace = trace;
  s.traits.unit = unit;
  s.traits.thinks = rng.Among(std::vector{absl::Milliseconds(2), absl::Milliseconds(20), absl::Milliseconds(200)});
  s.traits.imports = rng.Among(std::vector{absl::Microseconds(100), absl::Milliseconds(10)});
  s.traits.pins = rng.Chance(30) ? 40 : 0;
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
  s.growers = rng.Chance(50) ? 40 : 0;
  s.modest = rng.Chance(40) ? 70 : 0;
  s.rooms = rng.Chance(35);
  s.outsiders = rng.Chance(35);
  s.operators = rng.Chance(50);
  return s;
}

Simulation::Simulation(const Options& options)
    : options_(options),
      rng_(options.seed),
      once_(~options.seed),
      scenario_(Choose(rng_, options.trace)),
      policy_(fair_policy_),
      broker_(scenario_.broker, policy_, timeline_, rng_) {
  broker_.world().tells_external = options.seed % 5 == 0;  // not of those that regression tests name
  if (options.oracle) policy_.ConsultOracle();
  broker_.OnStep([this](const Event& event, const std::vector<Effect>& effects) { CheckStep(event, effects); });
  broker_.OnDeath([this] {
    timeline_.After(rng_.UpTo(absl::Milliseconds(300)), [this] {
      if (!calm_) Spawn(/*at_start=*/false);
    });
  });
}

Simulation::Result Simulation::Run() {
  for (uint64_t i = 0; i < scenario_.clients; ++i) Spawn(/*at_start=*/true);
  if (scenario_.outsiders) ActFromOutside();
  if (scenario_.operators) ActAsOperator();
  if (options_.seed % 3 == 1) AskForOnce();
  if (options_.crashes) ActAsFate();
  while (broker_.steps() < options_.steps && !broker_.failure().has_value() && timeline_.Next()) {
  }

  calm_ = true;
  broker_.Admit(true);
  broker_.worker().LookEvery(absl::Seconds(2));
  broker_.device().StopFailing();
  broker_.device().UseFromOutside(Bytes());
  for (size_t i = 0; i < broker_.clients().size(); ++i) broker_.clients()[i]->CalmDown();
  broker_.RunFor(kUntilCalm);
  // Where tenants have their long requests in turns, memory moves now and then for ever, but not all the time.
  const auto rests = [this] { return timeline_.now() - last_change_ >= kSettles; };
  for (int i = 0; i < 10 && !rests(); ++i) {
    moved_slots_ = 0;
    broker_.RunFor(kSettles);
  }
  if (!rests() && options_.must_rest && moved_slots_ > kMostSlotsAtRest &&
      scenario_.broker.device.slowest_free < absl::Milliseconds(100)) {
    broker_.Fail(absl::StrCat("all is calm, and memory moves without end: ", moved_slots_, " slots in ",
                              absl::FormatDuration(kSettles)));
  }
  if (rests()) CheckCalm();

  for (size_t i = 0; i < broker_.clients().size(); ++i) broker_.clients()[i]->Die();
  broker_.RunFor(kUntilCalm);
  CheckNothingIsLeft();
  return {.steps = broker_.steps(),
          .plans = policy_.plans(),
          .failure = broker_.failure(),
          .rooms_at_once = rooms_at_once_,
          .restarts = broker_.restarts(),
          .last = broker_.last()};
}

// ---------------------------------------------------------------- the world

void Simulation::Spawn(bool at_start) {
  if (broker_.clients().size() >= kMostProcesses) return;
  const auto pid = static_cast<int64_t>(broker_.clients().size() + 1);
  const std::string tenant = kTenants[rng_.Below(std::size(kTenants))];
  SimClient::Traits traits = scenario_.traits;
  traits.responds = rng_.Among(std::vector{absl::Milliseconds(1), absl::Milliseconds(20), absl::Milliseconds(300),
                                           absl::Seconds(3), SimClient::kNever});
  traits.claims_to_respond = rng_.Chance(50) ? absl::ZeroDuration() : std::min(traits.responds, absl::Seconds(9));
  traits.wants_within_target = rng_.Chance(options_.modest ? scenario_.modest : 0);
  traits.grows = rng_.Chance(scenario_.growers);
  if (rng_.Chance(40)) traits.floor = traits.unit * rng_.Below(40);
  if (scenario_.rooms) traits.asks_for_room = rng_.Below(8);
  std::unique_ptr<SimClient> client;
  if (rng_.Chance(scenario_.liars)) {
    client = std::make_unique<SimLiar>(broker_.world(), traits, pid, tenant);
  } else {
    client = std::make_unique<SimClient>(broker_.world(), traits, pid, tenant);
  }
  // Some come from an earlier broker.
  if (at_start && rng_.Chance(20)) client->Bring(rng_.Between(1, 10));
  broker_.Add(std::move(client));
}

void Simulation::ActFromOutside() {
  timeline_.After(rng_.UpTo(absl::Seconds(1)), [this] {
    if (calm_) return;
    broker_.device().UseFromOutside(Bytes(rng_.Below(broker_.device().total().in_bytes())));
    ActFromOutside();
  });
}

void Simulation::ActAsOperator() {
  timeline_.After(rng_.UpTo(absl::Seconds(1)), [this] {
    if (calm_) return;
    const Arbiter::TenantChange change = {.tenant = kTenants[rng_.Below(std::size(kTenants))],
                                          .policy = ChoosePolicy(rng_, broker_.device().total()),
                                          .force = rng_.Chance(50)};
    // As the server does.
    if (broker_.arbiter().CheckTenantChange(change).ok()) {
      broker_.Step(event::SetTenant{.tenant = change.tenant, .policy = change.policy});
    }
    ActAsOperator();
  });
}

void Simulation::AskForOnce() {
  timeline_.After(once_.UpTo(absl::Seconds(1)), [this] {
    if (calm_) return;
    AskForOnce();
    if (broker_.is_away()) return;
    const std::string tenant = kTenants[once_.Below(std::size(kTenants))];
    const BrokerReport report = broker_.Report();
    if (report.total.IsZero()) return;  // nobody is let in before the first look
    switch (once_.Below(5)) {
      case 0:
      case 1: {
        const Bytes to = Bytes(once_.Below(broker_.device().total().in_bytes() / 2));
        if (!broker_.arbiter().CheckSqueeze(tenant, to).ok()) return;
        return broker_.Step(
            event::Squeeze{.tenant = tenant, .to = to, .until = timeline_.now() + once_.UpTo(absl::Seconds(20))});
      }
      case 2:
        return broker_.Admit(once_.Chance(70));
      case 3:
        if (!broker_.arbiter().CheckTenantDeletion(tenant, 0).ok()) return;
        return broker_.Step(event::DeleteTenant{.tenant = tenant});
      case 4:
        if (report.sessions.empty()) return;
        return broker_.Step(event::Forget{report.sessions[once_.Below(report.sessions.size())].id});
    }
  });
}

void Simulation::ActAsFate() {
  timeline_.After(rng_.UpTo(absl::Seconds(2)), [this] {
    if (calm_) return;
    ActAsFate();
    if (broker_.is_away()) return;
    if (rng_.Chance(options_.seed % 4 == 0 ? 50 : 0)) broker_.DamageJournalAtNextCrash();
    broker_.CrashAfter(rng_.Below(40), rng_.UpTo(absl::Milliseconds(500)));
  });
}

// ---------------------------------------------------------------- what must hold

void Simulation::CheckStep(const Event& event, const std::vector<Effect>& effects) {
  if (options_.trace && plans_seen_ != policy_.plans()) {
    broker_.Trace(Describe(policy_.snapshot(), policy_.plan()));
  }
  if (policy_.wrong().has_value()) return broker_.Fail(*policy_.wrong());
  const bool moves = std::any_of(effects.begin(), effects.end(), [](const Effect& effect) {
    return std::holds_alternative<effect::MakeExtents>(effect) || std::holds_alternative<effect::TellTarget>(effect);
  });
  if (moves || std::holds_alternative<event::Released>(event)) last_change_ = timeline_.now();
  for (const Effect& effect : effects) {
    if (const auto* make = std::get_if<effect::MakeExtents>(&effect)) moved_slots_ += make->slots;
  }
  if (effects.empty() && plans_seen_ == policy_.plans()) return;
  const BrokerReport report = broker_.Report();

  if (std::holds_alternative<event::Recovered>(event)) {
    // Of rooms the new broker knows nothing.
    looked_ = false;
    ready_rooms_.clear();
    strays_ = true;
  }
  // I2, over all: what the broker issued is charged until it is free. Where others shrink while bytes are on their way
  // back, the device's sums cannot tell the two apart: by so much, and no more, may too much be credited. What a liar
  // or a dead process's child keeps is written off, and all the same not lent again (I1).
  if (!broker_.forgot() &&
      report.charged + broker_.device().others_shrank() + broker_.written_off() < broker_.device().issued()) {
    broker_.Fail(absl::StrCat("charged ", ToString(report.charged), " and out ", ToString(broker_.device().issued())));
  }
  CheckGranted(report, effects);
  CheckHoldings(report);
  CheckRooms(report, effects);
  if (std::exchange(plans_seen_, policy_.plans()) != policy_.plans()) {
    CheckReserves(report, event);
    if (calm_ && options_.must_rest) CheckEverybodyIsServed();
  }
}

void Simulation::CheckGranted(const BrokerReport& report, const std::vector<Effect>& effects) {
  for (const Effect& effect : effects) {
    const auto* grant = std::get_if<effect::TellGrant>(&effect);
    if (grant == nullptr) continue;
    const BrokerReport::Session* row = RowOf(report, grant->session);
    if (row == nullptr) return broker_.Fail("a grant to a session that is not there");
    if (row->target.has_value() && row->charged - row->returned > *row->target) {
      broker_.Fail(absl::StrCat("session ", row->id.value(), " is granted beyond its target ", ToString(*row->target)));
    }
    for (const BrokerReport::Tenant& tenant : report.tenants) {
      if (tenant.name == row->tenant && tenant.policy.limit.has_value() && tenant.charged > *tenant.policy.limit) {
        broker_.Fail(absl::StrCat("tenant ", tenant.name, " is granted beyond its limit"));
      }
      if (tenant.name == row->tenant && tenant.squeezed_to.has_value() && tenant.charged > *tenant.squeezed_to) {
        broker_.Fail(absl::StrCat("tenant ", tenant.name, " is granted beyond what it is trimmed to"));
      }
    }
  }
}

void Simulation::CheckHoldings(const BrokerReport& report) {
  for (const std::unique_ptr<SimClient>& client : broker_.clients()) {
    if (!client->honest() || !client->alive() || !client->is_served()) continue;
    const BrokerReport::Session* row = RowOf(report, client->session());
    if (row == nullptr || row->state != SessionState::kActive) continue;
    if (row->active + row->in_flight < client->mapped()) {
      broker_.Fail(absl::StrCat("session ", row->id.value(), " maps ", ToString(client->mapped()), " and is charged ",
                                ToString(row->active + row->in_flight)));
    }
  }
}

void Simulation::NoteStrayGrowth(const BrokerReport& report) {
  for (const std::unique_ptr<SimClient>& client : broker_.clients()) {
    Bytes& seen = outside_seen_[client->pid()];
    const bool in_its_room = client->honest() && ready_rooms_.count(client->session()) != 0;
    if (client->outside() > seen && !in_its_room) strays_ = true;
    seen = client->outside();
  }
  // What was taken of a room that was not settled, and outlives its session, nobody can tell from others' growth.
  std::set<SessionId> left = std::exchange(ready_rooms_, {});
  for (const BrokerReport::RoomRow& row : report.rooms) {
    left.erase(row.room.session);
    if (row.room.state == RoomState::kReady) ready_rooms_.insert(row.room.session);
  }
  for (const SessionId session : left) {
    const SimClient& client = broker_.ClientOf(session);
    if (client.alive() && !client.outside().IsZero()) strays_ = true;
  }
  rooms_at_once_ = std::max<uint64_t>(rooms_at_once_, ready_rooms_.size());
}

std::optional<Bytes> Simulation::StillToTake(const BrokerReport& report) const {
  const bool others = scenario_.outsiders || scenario_.liars > 0 || scenario_.broker.device.create_fails > 0;
  if (strays_ || others || scenario_.traits.leaves_a_child > 0) return std::nullopt;
  Bytes sum;
  for (const BrokerReport::RoomRow& row : report.rooms) {
    const SimClient& client = broker_.ClientOf(row.room.session);
    const bool is_its = client.alive() && client.room().has_value() && client.room()->request == row.room.request;
    if (row.room.state == RoomState::kReady && is_its) sum += MinusOrZero(row.room.bytes, client.room()->taken);
  }
  return sum;
}

// Nobody is granted what a room that is ready still needs.
void Simulation::CheckRooms(const BrokerReport& report, const std::vector<Effect>& effects) {
  NoteStrayGrowth(report);
  const bool granted = std::any_of(effects.begin(), effects.end(), [](const Effect& effect) {
    return std::holds_alternative<effect::TellGrant>(effect);
  });
  if (!granted) return;
  Bytes needed;
  for (const BrokerReport::RoomRow& row : report.rooms) {
    if (row.room.state == RoomState::kReady) needed += MinusOrZero(row.room.bytes, row.room.used);
  }
  // What they took since the look was taken of what is free and of what they need alike.
  const SimDevice& device = broker_.device();
  Bytes free = device.free() + (device.others_grew() - broker_.others_at_look());
  if (const std::optional<Bytes> still = StillToTake(report)) {
    needed = *still;
    free = device.free();
  }
  if (needed.IsZero()) return;
  if (broker_.worker().unmade() + scenario_.broker.arbiter.device.headroom + needed > free) {
    broker_.Fail(absl::StrCat(ToString(broker_.worker().unmade()), " to be made, rooms need ", ToString(needed), " of ",
                              ToString(free), " free"));
  }
}

// What is reserved and not used is there: what is available, or has been given back and not arrived, covers it, unless
// more was reserved than was there, or programs outside took it. So it never lacks more after a step than before, but for
// steps that change just that.
void Simulation::CheckReserves(const BrokerReport& report, const Event& event) {
  const PolicySnapshot& snapshot = policy_.snapshot();
  Bytes granted;
  Bytes returned;
  for (const PolicySnapshot::Tenant& tenant : snapshot.tenants) returned += tenant.returned;
  PolicySnapshot after = snapshot;
  for (const PolicyPlan::Grant& grant : policy_.plan().grants) {
    for (const PolicySnapshot::Lease& lease : snapshot.leases) {
      if (lease.id != grant.lease) continue;
      granted += lease.slot * grant.slots;
      after.sessions[lease.session].charged += lease.slot * grant.slots;
      after.tenants[lease.tenant].charged += lease.slot * grant.slots;
    }
  }
  const Bytes there_is = snapshot.available - granted + returned;
  // What programs outside took of what is granted and not made lacks as well; so does what clients that came along hold
  // beyond the cap.
  Bytes charged;
  for (const PolicySnapshot::Tenant& tenant : after.tenants) charged += tenant.charged;
  const Bytes let_go = MinusOrZero(std::exchange(charged_, charged), charged - granted);
  const Bytes beyond_cap = MinusOrZero(charged, scenario_.broker.arbiter.device.cap.value_or(charged));
  const Bytes needed = IdleReserves(after) + snapshot.room_short + beyond_cap;
  const Bytes before = std::exchange(deficit_, MinusOrZero(needed, there_is));
  // What was on its way at a look may count twice before it, as available and as given back.
  const bool was_on_its_way = !std::exchange(returned_, report.returned).IsZero();
  const Bytes grown = broker_.others_at_look() - std::exchange(others_grew_, broker_.others_at_look());
  const bool policies_change =
      std::holds_alternative<event::SetTenant>(event) || std::holds_alternative<event::DeleteTenant>(event);
  if (policies_change || !report.rooms.empty()) return;
  if (std::holds_alternative<event::Hello>(event)) return;  // what it brought along was lent by an earlier broker
  // What a session leaves is nobody's from then on, and is free when a look shows it.
  if (std::holds_alternative<event::Goodbye>(event) || std::holds_alternative<event::ProcessEnded>(event) ||
      std::holds_alternative<event::Forget>(event)) {
    return;
  }
  if (std::holds_alternative<event::DeviceSample>(event) && was_on_its_way) return;
  // What the new broker has not looked at is lacking.
  if (!std::exchange(looked_, looked_ || std::holds_alternative<event::DeviceSample>(event))) return;
  // What cannot be made was not there, and its grant hid that; it is let go of where its session has ended.
  Bytes unmade;
  if (const auto* failed = std::get_if<event::MakeFailed>(&event)) {
    for (const PolicySnapshot::Lease& lease : snapshot.leases) {
      if (lease.id == failed->lease) unmade = lease.slot * failed->slots;
    }
    unmade = std::max(unmade, let_go);
  }
  // The same where a connection ends that had nothing but such a grant.
  if (std::holds_alternative<event::ConnectionLost>(event)) unmade = let_go;
  // Less than a granule is nobody's to have.
  if (deficit_ >= before + grown + unmade + scenario_.broker.arbiter.granularity) {
    broker_.Fail(absl::StrCat("of what is reserved ", ToString(deficit_), " are lacking, before ", ToString(before)));
  }
}

void Simulation::CheckEverybodyIsServed() {
  const std::map<size_t, std::string> owed = WhoIsOwed(policy_.snapshot(), policy_.plan());
  std::map<size_t, absl::Time> since;
  for (const auto& [tenant, what] : owed) {
    const auto before = owed_since_.find(tenant);
    since[tenant] = before == owed_since_.end() ? timeline_.now() : before->second;
    if (timeline_.now() - since[tenant] > kPatience) broker_.Fail(what);
  }
  owed_since_ = std::move(since);
}

void Simulation::CheckCalm() {
  if (broker_.failure().has_value()) return;
  const BrokerReport report = broker_.Report();
  Bytes held;
  for (const std::unique_ptr<SimClient>& client : broker_.clients()) {
    if (!client->alive()) continue;
    if (!client->connected()) return broker_.Fail(absl::StrCat("process ", client->pid(), " is not served"));
    const BrokerReport::Session* row = RowOf(report, client->session());
    if (row == nullptr || row->state != SessionState::kActive) {
      return broker_.Fail("a living client's session is not active");
    }
    if (row->charged != client->mapped()) {
      return broker_.Fail(absl::StrCat("session ", row->id.value(), " maps ", ToString(client->mapped()),
                                       " and is charged ", ToString(row->charged)));
    }
    if (row->target.has_value() && row->charged > *row->target) {
      return broker_.Fail(absl::StrCat("session ", row->id.value(), " answers and holds ", ToString(row->charged),
                                       ", its target is ", ToString(*row->target)));
    }
    Bytes wanted;
    for (const auto& [id, arena] : client->arenas()) {
      if (arena.fetching) return broker_.Fail(absl::StrCat("session ", row->id.value(), " waits for a Fetch's answer"));
      wanted += arena.slot * std::max(arena.want, arena.held());
    }
    if (wanted != row->wanted) {
      return broker_.Fail(
          absl::StrCat("session ", row->id.value(), " wants ", ToString(wanted), ", known is ", ToString(row->wanted)));
    }
    held += row->charged;
  }
  if (report.charged != held || report.charged != broker_.device().issued()) {
    return broker_.Fail(absl::StrCat("charged ", ToString(report.charged), ", held ", ToString(held), ", out ",
                                     ToString(broker_.device().issued())));
  }
  if (!broker_.worker().holds_nothing()) return broker_.Fail("the broker kept memory for nobody");
}

void Simulation::CheckNothingIsLeft() {
  if (broker_.failure().has_value()) return;
  const BrokerReport report = broker_.Report();
  if (!report.sessions.empty()) {
    broker_.Fail(absl::StrCat(report.sessions.size(), " sessions are left, and nobody lives"));
  }
  if (!report.charged.IsZero()) broker_.Fail("bytes are charged, and nobody lives");
  if (!report.rooms.empty()) broker_.Fail("there is room for nobody");
  if (!broker_.worker().holds_nothing()) broker_.Fail("the broker kept memory, and nobody lives");
  if (broker_.device().free() != broker_.device().total()) broker_.Fail("the device is not empty, and nobody lives");
}

}  // namespace kvbroker::sim
