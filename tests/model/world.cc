#include "tests/model/world.h"

#include <algorithm>
#include <iterator>
#include <variant>

#include "absl/strings/str_cat.h"
#include "broker/policy/fair_policy.h"

namespace kvbroker::model {
namespace {

constexpr Bytes kSlot = MiB(2);
constexpr ArenaId kArena(1);
constexpr uint64_t kWants[] = {2, 1};
constexpr const char* kTenants[] = {"a", "b"};

Arbiter::Options OptionsOf(const World::Options& options) {
  return {.device = {.headroom = Bytes()},
          .device_uuid = "HOST-model",
          .tenants = {{"a", {}}, {"b", {}}},
          .quiet_interval = absl::ZeroDuration()};
}

// It remembers nothing: one for all.
const Policy& ThePolicy() {
  static const FairPolicy* const policy = new FairPolicy;
  return *policy;
}

ProcessIdentity ProcessOf(size_t client) { return {.pid = static_cast<pid_t>(client) + 1, .start_time = 1}; }

}  // namespace

World::World(const Options& options)
    : options_(options),
      arbiter_(std::make_unique<Arbiter>(OptionsOf(options), ThePolicy())),
      clients_(kClients, Client{.returns = options.returns}),
      crashes_(options.crashes) {
  Look();
}

World::World(const World& other)
    : options_(other.options_),
      now_(other.now_),
      arbiter_(other.arbiter_ == nullptr ? nullptr : std::make_unique<Arbiter>(*other.arbiter_)),
      journal_(other.journal_),
      clients_(other.clients_),
      to_make_(other.to_make_),
      made_(other.made_),
      batches_(other.batches_),
      crashes_(other.crashes_),
      wrong_(other.wrong_) {}

// ---------------------------------------------------------------- what can happen

std::vector<World::Action> World::Possible() const {
  using Kind = Action::Kind;
  std::vector<Action> possible;
  const bool lives = arbiter_ != nullptr;
  for (size_t i = 0; i < kClients; ++i) {
    const Client& client = clients_[i];
    if (client.end_is_unseen && lives) possible.push_back({Kind::kEndIsSeen, i});
    if (!client.alive) continue;
    if (crashes_ > 0) possible.push_back({Kind::kDie, i});
    if (client.mapped > 0 && client.returns > 0 && !client.unconfirmed) possible.push_back({Kind::kGiveBack, i});
    if (!lives) continue;
    if (!client.is_connected) {
      possible.push_back({Kind::kConnect, i});
      continue;
    }
    if (client.wants < std::size(kWants)) possible.push_back({Kind::kWant, i});
    if (client.unconfirmed) {
      possible.push_back({Kind::kConfirm, i});
    } else if (client.unfetched() > 0) {
      possible.push_back({Kind::kFetch, i});
    }
  }
  if (lives) {
    for (size_t i = 0; i < to_make_.size(); ++i) possible.push_back({Kind::kMake, i});
    possible.push_back({Kind::kLook});
    if (crashes_ > 0) possible.push_back({Kind::kKill});
  } else {
    possible.push_back({Kind::kRestart});
  }
  return possible;
}

size_t World::Do(const Action& action) {
  effects_ = 0;
  killed_after_ = action.killed_after;
  if (killed_after_.has_value()) --crashes_;
  using Kind = Action::Kind;
  switch (action.kind) {
    case Kind::kConnect:
      Connect(action.client);
      break;
    case Kind::kWant:
      ++clients_[action.client].wants;
      Want(clients_[action.client]);
      break;
    case Kind::kFetch: {
      const Client& client = clients_[action.client];
      Step(event::Fetch{.session = client.session, .lease = client.lease, .max_slots = client.unfetched()});
      break;
    }
    case Kind::kConfirm: {
      Client& client = clients_[action.client];
      const BatchId batch = std::exchange(client.unconfirmed, BatchId());
      Step(event::Confirm{.session = client.session, .lease = client.lease, .batch = batch});
      break;
    }
    case Kind::kGiveBack: {
      Client& client = clients_[action.client];
      --client.mapped;
      --client.returns;
      if (!client.is_connected) break;  // its inventory will say so
      Step(event::Released{.session = client.session, .lease = client.lease, .total = ++client.released});
      break;
    }
    case Kind::kDie:
      --crashes_;
      Die(action.client);
      break;
    case Kind::kEndIsSeen:
      SeeEnd(action.client);
      break;
    case Kind::kMake:
      Make(std::next(to_make_.begin(), static_cast<ptrdiff_t>(action.client))->first);
      break;
    case Kind::kLook:
      Look();
      break;
    case Kind::kKill:
      --crashes_;
      Kill();
      break;
    case Kind::kRestart:
      Restart();
      break;
  }
  killed_after_.reset();
  Check();
  return effects_;
}

void World::Connect(size_t index) {
  Client& client = clients_[index];
  event::Hello hello = {.connection = ConnectionId(index + 1), .process = ProcessOf(index), .tenant = kTenants[index]};
  const ArenaDescription arena = {.id = kArena, .planes = {kSlot}, .slots = options_.slots};
  if (client.has_arena) hello.held = {{.arena = arena, .slots = client.mapped}};
  client.session = SessionId();
  Step(hello);
  if (!client.is_connected) return;
  if (!client.has_arena) Step(event::ArenaOpen{.session = client.session, .arena = arena});
  if (client.is_connected && client.wants > 0) Want(client);
}

void World::Want(Client& client) {
  Step(event::Want{
      .session = client.session, .arena = kArena, .revision = ++client.revision, .slots = kWants[client.wants - 1]});
}

void World::Make(LeaseId lease) {
  const auto it = to_make_.find(lease);
  if (Used() < options_.slots) {
    if (--it->second == 0) to_make_.erase(it);
    ++made_[lease];
    Step(event::Made{.lease = lease, .slots = 1});
  } else {
    const uint64_t slots = it->second;
    to_make_.erase(it);
    Step(event::MakeFailed{.lease = lease, .slots = slots, .error = absl::ResourceExhaustedError("full")});
  }
}

void World::Look() {
  Step(event::DeviceSample{.total = kSlot * options_.slots, .free = kSlot * (options_.slots - Used())});
}

void World::Die(size_t index) {
  Client& client = clients_[index];
  for (auto& [key, batch] : batches_) {
    if (batch.client == index) batch.is_mapped = false;
  }
  client.alive = false;
  client.mapped = 0;
  client.end_is_unseen = arbiter_ != nullptr;
}

// Its connection closes, and whoever watches its process sees its end: a broker does so for the sessions that it recovered as
// well.
void World::SeeEnd(size_t index) {
  Client& client = clients_[index];
  client.end_is_unseen = false;
  if (std::exchange(client.is_connected, false)) Step(event::ConnectionLost{.session = client.session});
  if (arbiter_ == nullptr) return;
  for (const BrokerReport::Session& session : arbiter_->Report(now_).sessions) {
    if (session.process == ProcessOf(index)) Step(event::ProcessEnded{.session = session.id});
  }
}

void World::Kill() {
  arbiter_.reset();
  to_make_.clear();
  made_.clear();
  batches_.clear();
  for (Client& client : clients_) {
    client.is_connected = client.end_is_unseen = false;
    client.unconfirmed = BatchId();
  }
}

void World::Restart() {
  Accounts accounts;
  for (const Record& record : journal_.Records()) accounts.Apply(record);
  accounts.BeginAt(journal_.next_session(), journal_.next_lease());  // the file's header has them
  journal_ = accounts;
  arbiter_ = std::make_unique<Arbiter>(OptionsOf(options_), ThePolicy());
  Step(event::Recovered{accounts});
  for (const auto& [id, session] : accounts.sessions()) {
    if (!clients_[static_cast<size_t>(session.process.pid) - 1].alive) Step(event::ProcessEnded{.session = id});
  }
}

// ---------------------------------------------------------------- the broker

void World::Step(const Event& event) {
  if (arbiter_ == nullptr) return;
  for (const Effect& effect : arbiter_->Step(event, now_)) {
    if (killed_after_ == effects_) return Kill();
    ++effects_;
    std::visit([this](const auto& e) { Perform(e); }, effect);
  }
}

void World::Perform(const effect::Journal& journal) {
  if (!options_.journals) return;
  for (const Record& record : journal.records) journal_.Apply(record);
}

void World::Perform(const effect::Admit& admit) {
  Client& client = clients_[admit.connection.value() - 1];
  client.session = admit.session;
  client.is_connected = true;
  client.revision = 0;
  client.granted = client.received = client.mapped;
  client.revoked = client.released = 0;
  if (client.has_arena) client.lease = admit.arenas.at(0).lease;
}

void World::Perform(const effect::TellArenaOpened& opened) {
  Client& client = *ClientOf(opened.session);
  client.lease = opened.lease;
  client.has_arena = true;
}

void World::Perform(const effect::TellGrant& grant) {
  if (Client* client = ClientOf(grant.lease)) client->granted = std::max(client->granted, grant.total);
}

void World::Perform(const effect::TellRevoke& revoke) {
  if (Client* client = ClientOf(revoke.lease)) client->revoked = std::max(client->revoked, revoke.total);
}

void World::Perform(const effect::MakeExtents& make) { to_make_[make.lease] += make.slots; }

void World::Perform(const effect::HandOver& batch) {
  Client* client = ClientOf(batch.lease);
  if (batch.slots == 0) return;
  if (client == nullptr || made_[batch.lease] < batch.slots) return Fail("slots are handed over that are not made");
  if ((made_[batch.lease] -= batch.slots) == 0) made_.erase(batch.lease);
  batches_[{batch.lease, batch.batch}] = {
      .client = static_cast<size_t>(client - clients_.data()), .slots = batch.slots, .is_mapped = true};
  client->mapped += batch.slots;
  client->received += batch.slots;
  client->unconfirmed = batch.batch;
}

void World::Perform(const effect::DropBatch& drop) {
  if (batches_.erase({drop.lease, drop.batch}) == 0) Fail("a batch is dropped that is not out");
}

void World::Perform(const effect::DiscardMade& discard) {
  const auto it = made_.find(discard.lease);
  if (it == made_.end() || it->second < discard.slots) return Fail("slots are discarded that are not made");
  if ((it->second -= discard.slots) == 0) made_.erase(it);
}

void World::Perform(const effect::Refuse& refuse) { Fail(absl::StrCat("refused: ", refuse.status.ToString())); }

void World::Perform(const effect::Disconnect& disconnect) {
  Fail(absl::StrCat("disconnected: ", disconnect.status.ToString()));
}

void World::Perform(const effect::TellError& error) {
  if (error.want_revision == 0) Fail(absl::StrCat("refused: ", error.status.ToString()));
}

World::Client* World::ClientOf(SessionId session) {
  for (Client& client : clients_) {
    if (client.alive && client.is_connected && client.session == session) return &client;
  }
  return nullptr;
}

World::Client* World::ClientOf(LeaseId lease) {
  for (Client& client : clients_) {
    if (client.alive && client.is_connected && client.lease == lease) return &client;
  }
  return nullptr;
}

// ---------------------------------------------------------------- what must hold

uint64_t World::Used() const {
  uint64_t used = 0;
  for (const Client& client : clients_) used += client.mapped;
  for (const auto& [lease, slots] : made_) used += slots;
  for (const auto& [key, batch] : batches_) used += batch.is_mapped ? 0 : batch.slots;
  return used;
}

void World::Check() {
  for (size_t i = 0; i < kClients; ++i) {
    uint64_t known = 0;
    for (const auto& [id, lease] : journal_.leases()) {
      if (journal_.sessions().at(lease.session).process == ProcessOf(i)) known += lease.held;
    }
    if (known < clients_[i].mapped) {
      Fail(absl::StrCat("client ", i, " has ", clients_[i].mapped, " slots, and the journal knows of ", known));
    }
  }
  if (arbiter_ == nullptr) return;
  if (const absl::Status sound = arbiter_->CheckInvariants(); !sound.ok()) Fail(std::string(sound.message()));
  uint64_t to_make = 0;
  for (const auto& [lease, slots] : to_make_) to_make += slots;
  if (Used() + to_make > options_.slots) Fail(absl::StrCat(to_make, " slots to be made beside ", Used()));
  const Bytes charged = arbiter_->Report(now_).charged;
  if (charged < kSlot * Used()) Fail(absl::StrCat(ToString(charged), " are charged, ", Used(), " slots are out"));
}

void World::Fail(std::string what) {
  if (!wrong_.has_value()) wrong_ = std::move(what);
}

std::optional<std::string> World::Wrong() const { return wrong_; }

std::optional<std::string> World::WrongInTheEnd() const {
  World end(*this);
  if (end.arbiter_ == nullptr) end.Restart();
  for (size_t i = 0; i < kClients; ++i) {
    if (end.clients_[i].alive) end.Die(i);
    if (end.clients_[i].end_is_unseen) end.SeeEnd(i);
  }
  for (int look = 0; look < 8; ++look) {
    while (!end.to_make_.empty()) end.Make(end.to_make_.begin()->first);
    end.now_ += absl::Seconds(10);
    end.Look();
  }
  const BrokerReport report = end.arbiter_->Report(end.now_);
  if (end.Used() != 0) return absl::StrCat(end.Used(), " slots are lost");
  if (!report.sessions.empty()) return absl::StrCat(report.sessions.size(), " sessions of nobody");
  const Bytes all = kSlot * options_.slots;
  if (!report.charged.IsZero() || report.capacity != all || !report.used_by_others.IsZero()) {
    return absl::StrCat(ToString(report.charged), " charged to nobody, a capacity of ", ToString(report.capacity), ", ",
                        ToString(report.used_by_others), " taken for others'");
  }
  return end.wrong_;
}

std::optional<std::string> World::RecoveryChanges() const {
  if (arbiter_ != nullptr) return std::nullopt;
  World once(*this);
  once.Restart();
  World twice(once);
  twice.Kill();
  twice.Restart();
  if (once.journal_ == twice.journal_) return std::nullopt;
  return "a broker that recovers again finds something else";
}

std::string World::Key() const {
  std::string key = absl::StrCat(crashes_, arbiter_ == nullptr ? "-" : "+");
  for (const Client& c : clients_) {
    absl::StrAppend(&key, "|", c.alive, c.is_connected, c.end_is_unseen, c.has_arena, ",", c.session.value(), ",",
                    c.lease.value(), ",", c.mapped, ",", c.granted, ",", c.revoked, ",", c.received, ",");
    absl::StrAppend(&key, c.released, ",", c.revision, ",", c.wants, ",", c.returns, ",", c.unconfirmed.value());
  }
  for (const auto& [lease, slots] : to_make_) absl::StrAppend(&key, "t", lease.value(), ":", slots);
  for (const auto& [lease, slots] : made_) absl::StrAppend(&key, "m", lease.value(), ":", slots);
  for (const auto& [id, batch] : batches_) {
    absl::StrAppend(&key, "b", id.first.value(), ":", id.second.value(), ":", batch.slots, batch.is_mapped);
  }
  for (const auto& [id, session] : journal_.sessions())
    absl::StrAppend(&key, "s", id.value(), ":", session.process.pid);
  for (const auto& [id, lease] : journal_.leases()) {
    absl::StrAppend(&key, "l", id.value(), ":", lease.session.value(), ":", lease.held, ":", lease.returned);
  }
  absl::StrAppend(&key, "n", journal_.next_session().value(), ":", journal_.next_lease().value());
  if (arbiter_ == nullptr) return key;
  const BrokerReport report = arbiter_->Report(now_);
  for (const Bytes bytes : {report.free, report.capacity, report.charged, report.returned, report.used_by_others,
                            report.waiting, report.asked_back}) {
    absl::StrAppend(&key, "/", bytes / kSlot);
  }
  for (const BrokerReport::Session& s : report.sessions) {
    absl::StrAppend(&key, ";", s.id.value(), static_cast<int>(s.state), ",", s.charged / kSlot, ",", s.active / kSlot);
    absl::StrAppend(&key, ",", s.in_flight / kSlot, ",", s.returned / kSlot, ",", s.wanted / kSlot, ",",
                    s.target.has_value() ? absl::StrCat(*s.target / kSlot) : "-", ",", s.arenas);
  }
  return key;
}

std::string ToString(const World::Action& action) {
  using Kind = World::Action::Kind;
  static const std::map<Kind, const char*> kNames = {
      {Kind::kConnect, "connects"},
      {Kind::kWant, "wants"},
      {Kind::kFetch, "fetches"},
      {Kind::kConfirm, "confirms"},
      {Kind::kGiveBack, "gives back"},
      {Kind::kDie, "dies"},
      {Kind::kEndIsSeen, "is seen to end"},
      {Kind::kMake, "a slot is made for lease"},
      {Kind::kLook, "a look"},
      {Kind::kKill, "the broker is killed"},
      {Kind::kRestart, "the next broker"},
  };
  const bool of_client = action.kind < Kind::kMake;
  std::string text = of_client                    ? absl::StrCat("client ", action.client, " ", kNames.at(action.kind))
                     : action.kind == Kind::kMake ? absl::StrCat(kNames.at(action.kind), " no. ", action.client)
                                                  : std::string(kNames.at(action.kind));
  if (action.killed_after.has_value()) {
    absl::StrAppend(&text, "; the broker is killed after ", *action.killed_after, " effects");
  }
  return text;
}

}  // namespace kvbroker::model
