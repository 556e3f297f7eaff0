#include "tests/sim/sim_client.h"

#include <algorithm>
#include <utility>

namespace kvbroker::sim {

SimClient::SimClient(World& world, const Traits& traits, int64_t pid, std::string tenant)
    : world_(world), traits_(traits), pid_(pid), tenant_(std::move(tenant)) {}

void SimClient::Start() {
  ThinkAgain();
  ReportAgain();
}

void SimClient::ThinkAgain() {
  // A calm one has little to think about.
  const absl::Duration pause = calm_ ? absl::Milliseconds(100) : world_.rng.UpTo(traits_.thinks);
  world_.timeline.After(pause + absl::Microseconds(1), [this] {
    if (!alive_) return;
    ThinkAgain();
    if (!frozen_) Think();
  });
}

void SimClient::ReportAgain() {
  world_.timeline.After(absl::Milliseconds(900), [this] {
    if (!alive_) return;
    ReportAgain();
    if (frozen_ || !connected()) return;
    for (const auto& [id, arena] : arenas_) Report(arena);
  });
}

// ---------------------------------------------------------------- what it does

void SimClient::Think() {
  Rng& rng = world_.rng;
  if (connection_ == nullptr && world_.timeline.now() < not_before_) return;
  if (connection_ == nullptr) return Connect();
  if (!session_.has_value() || leaving_) return;
  if (calm_) {
    if (arenas_.empty()) OpenArena();
    return SettleRoom();
  }
  if (rng.Chance(traits_.dies)) return Die(rng.Chance(traits_.leaves_a_child));
  if (poisoned_) return;
  if (rng.Chance(traits_.disconnects)) return Disconnect();
  if (rng.Chance(traits_.freezes)) {
    frozen_ = true;
    return world_.timeline.After(rng.UpTo(absl::Seconds(5)), [this] { Thaw(); });
  }
  if (rng.Chance(traits_.is_poisoned)) {
    poisoned_ = true;
    return SendMessage(event::Poisoned{.session = session(), .error = "poisoned"});
  }
  if (rng.Chance(traits_.leaves)) {
    DropEverything();
    leaving_ = true;
    return SendMessage(event::Goodbye{.session = session()});
  }
  if (rng.Chance(traits_.asks_for_room)) {
    if (room_.has_value()) return SettleRoom();
    const uint64_t ttl = rng.Chance(50) ? 0 : rng.Between(1, 3000);
    // Large ones take turns; of small ones several are ready at once.
    const uint64_t most = rng.Chance(50) ? 60 : 10;
    return AskForRoom(traits_.unit * rng.Between(1, most), absl::Milliseconds(ttl));
  }
  Arena* arena = AnyArena();
  if (arena == nullptr || rng.Chance(3)) return OpenArena();
  if (!arena->lease) return;
  const uint64_t can_go = arena->mapped.size() - arena->use.pinned;
  switch (rng.Below(10)) {
    case 0:
      if (rng.Chance(20)) return CloseArena(arena->description.id);
      [[fallthrough]];
    case 1:
    case 2:
      return GiveBack(*arena, traits_.grows ? 0 : rng.Below(can_go + 1));
    case 3:
    case 4:
      ChangeUse(*arena);
      return Report(*arena);
    default: {
      const uint64_t wish = traits_.grows ? arena->description.slots : rng.Below(arena->description.slots + 1);
      Wish(*arena, wish, rng.Chance(80) ? 0 : rng.Below(wish + 2));
      const uint64_t over = arena->mapped.size() - std::min<uint64_t>(wish, arena->mapped.size());
      if (rng.Chance(50)) GiveBack(*arena, std::min(over, can_go));
    }
  }
}

void SimClient::ChangeUse(Arena& arena) {
  Rng& rng = world_.rng;
  const uint64_t mapped = arena.mapped.size();
  arena.use.pinned = !calm_ && rng.Chance(traits_.pins) ? rng.Below(mapped + 1) / 2 : 0;
  arena.use.running = rng.Below(mapped - arena.use.pinned + 1);
  arena.use.rest = rng.Below(Use::kCompactable + 1);
  if (OverTarget()) AnswerLater();
}

Holding SimClient::HoldingOf(const Arena& arena) {
  const Use& use = arena.use;
  const uint64_t mapped = arena.mapped.size();
  const uint64_t pinned = std::min(use.pinned, mapped);
  const uint64_t running = std::min(use.running, mapped - pinned);
  Holding holding = {.response = traits_.claims_to_respond};
  holding.pinned = arena.slot * pinned;
  holding.preemptible = arena.slot * running;
  Bytes& rest = use.rest == Use::kSpare         ? holding.spare
                : use.rest == Use::kFree        ? holding.free
                : use.rest == Use::kCompactable ? holding.compactable
                                                : holding.cached_by_age[use.rest];
  rest = arena.slot * (mapped - pinned - running);
  return holding;
}

void SimClient::Report(const Arena& arena) {
  if (arena.lease) {
    SendMessage(event::HoldingReport{.session = session(), .arena = arena.description.id, .holding = HoldingOf(arena)});
  }
}

event::Hello SimClient::Greeting() {
  event::Hello hello = {.process = {.pid = pid_, .start_time = 1},
                        .tenant = tenant_,
                        .engine = "sim",
                        .resumes = before_epoch_ == world_.epoch ? before_ : SessionId(),
                        .floor = traits_.floor};
  for (auto& [id, arena] : arenas_) hello.held.push_back({arena.description, arena.mapped.size()});
  return hello;
}

void SimClient::Connect() {
  connection_ = world_.connect(*this);
  event::Hello hello = Greeting();
  hello.connection = connection_->id;
  SendFrame(hello);
}

void SimClient::Disconnect() {
  const ConnectionPtr connection = connection_;
  connection->frames_up.Send([world = &world_, connection] {
    if (connection->session && !connection->closed_by_broker) {
      world->arrive(connection, event::ConnectionLost{.session = connection->session});
    }
  });
  Closed();
}

void SimClient::OpenArena() {
  if (arenas_.size() >= 3) return;
  const uint64_t planes = world_.rng.Between(1, 3);
  OpenArena(std::vector<Bytes>(planes, traits_.unit * world_.rng.Between(1, 2)), world_.rng.Between(1, 40));
}

void SimClient::OpenArena(std::vector<Bytes> planes, uint64_t slots) {
  const ArenaId id(next_arena_++);
  Arena& arena = arenas_[id];
  arena.description = {.id = id, .planes = std::move(planes), .slots = slots};
  arena.slot = Sum(arena.description.planes);
  SendMessage(event::ArenaOpen{.session = session(), .arena = arena.description});
}

void SimClient::CloseArena(ArenaId id) {
  Arena& arena = arenas_.at(id);
  LetGo(arena.mapped);
  LetGo(arena.importing);
  arenas_.erase(id);
  SendMessage(event::ArenaClose{.session = session(), .arena = id});
}

void SimClient::Wish(Arena& arena, uint64_t slots, uint64_t min_useful) {
  arena.wish = slots;
  WantMore(arena, WithinTarget(arena, slots), min_useful);
}

uint64_t SimClient::WithinTarget(const Arena& arena, uint64_t slots) const {
  if (!traits_.wants_within_target || !target_.has_value()) return slots;
  // Each arena gets of the target what the others leave of it.
  Bytes left = *target_;
  for (const auto& [id, other] : arenas_) {
    if (&other == &arena) break;
    left = MinusOrZero(left, other.slot * other.want);
  }
  return std::min(slots, left / arena.slot);
}

void SimClient::WantMore(Arena& arena, uint64_t slots, uint64_t min_useful) {
  arena.want = slots;
  arena.min_useful = min_useful;
  arena.revision = ++revision_;
  const event::Want want = {.session = session(),
                            .arena = arena.description.id,
                            .revision = arena.revision,
                            .slots = slots,
                            .min_useful = min_useful};
  SendMessage(want);
  if (world_.rng.Chance(traits_.repeats) && arena.revision > 1) {
    event::Want stale = want;
    stale.revision = world_.rng.Below(arena.revision);
    stale.slots = world_.rng.Below(arena.description.slots + 1);
    SendMessage(stale);
  }
}

void SimClient::GiveBack(Arena& arena, uint64_t slots) {
  if (slots == 0 || !arena.lease) return;
  std::vector<Slot> gone(arena.mapped.end() - static_cast<std::ptrdiff_t>(slots), arena.mapped.end());
  arena.mapped.resize(arena.mapped.size() - slots);
  LetGo(gone);
  arena.released += slots;
  SayReleased(arena);
}

void SimClient::SayReleased(const Arena& arena) {
  world_.timeline.After(world_.rng.UpTo(traits_.releases.value_or(traits_.thinks)),
                        [this, lease = arena.lease, connection = connection_] {
                          const Arena* now = FindArena(lease);
                          if (!alive_ || connection != connection_ || now == nullptr) return;
                          SendMessage(event::Released{.session = session(), .lease = lease, .total = now->released});
                        });
}

void SimClient::Fetch(Arena& arena, BatchId confirm) {
  const bool more = !arena.fetching && !arena.nothing_to_fetch && arena.importing.empty() && arena.unfetched() > 0;
  if (more) {
    arena.fetching = true;
    arena.heard_since_fetch = false;
    SendFrame(event::Fetch{.session = session(),
                           .lease = arena.lease,
                           .max_slots = world_.rng.Chance(50) ? UINT64_MAX : world_.rng.Between(1, 8),
                           .confirm = confirm});
  } else if (confirm) {
    SendFrame(event::Confirm{.session = session(), .lease = arena.lease, .batch = confirm});
  }
}

void SimClient::SendFrame(Event event) {
  if (connection_ == nullptr) return;
  const auto send = [&] {
    connection_->frames_up.Send([world = &world_, c = connection_, event] {
      if (!c->closed_by_broker) world->arrive(c, event);
    });
  };
  send();
  if (std::holds_alternative<event::Confirm>(event) && world_.rng.Chance(traits_.repeats)) send();
}

void SimClient::SendMessage(Event event) {
  if (connection_ == nullptr) return;
  const auto send = [&] {
    connection_->messages_up.Send([world = &world_, c = connection_, event] { world->arrive(c, event); });
  };
  send();
  const bool repeatable = std::holds_alternative<event::Want>(event) || std::holds_alternative<event::Released>(event);
  if (repeatable && world_.rng.Chance(traits_.repeats)) send();
}

void SimClient::Die(bool child) {
  if (!std::exchange(alive_, false)) return;
  for (const Waiting& waiting : std::exchange(inbox_, {})) waiting.lost();
  if (connection_ != nullptr && !child) Disconnect();
  // The driver takes its time over the memory of the dead, and a child keeps it.
  world_.timeline.After(world_.rng.UpTo(child ? absl::Seconds(5) : absl::Milliseconds(200)),
                        [this] { EndOfProcess(); });
  world_.died(*this);
}

void SimClient::Signal(bool kill) {
  if (kill || world_.rng.Chance(50)) Die();
}

void SimClient::EndOfProcess() {
  DropEverything();
  world_.device.ReturnOutside(std::exchange(outside_, Bytes()));
}

void SimClient::CalmDown() {
  calm_ = true;
  if (poisoned_) Die();
  Thaw();
  for (auto& [id, arena] : arenas_) arena.use.pinned = 0;
  if (OverTarget()) AnswerLater();
}

void SimClient::Thaw() {
  frozen_ = false;
  while (!inbox_.empty() && !frozen_ && alive_) {
    const Waiting waiting = std::move(inbox_.front());
    inbox_.pop_front();
    (waiting.connection == connection_ ? waiting.task : waiting.lost)();
  }
}

void SimClient::LetGo(std::vector<Slot>& slots) {
  for (const Slot slot : slots) world_.device.LetGo(slot);
  slots.clear();
}

void SimClient::DropEverything() {
  for (auto& [id, arena] : arenas_) {
    LetGo(arena.mapped);
    LetGo(arena.importing);
  }
  arenas_.clear();
}

void SimClient::Bring(uint64_t slots) {
  const ArenaId id(next_arena_++);
  Arena& arena = arenas_[id];
  arena.description = {.id = id, .planes = {traits_.unit}, .slots = slots + 5};
  arena.slot = traits_.unit;
  for (uint64_t i = 0; i < slots; ++i) {
    if (const std::optional<Slot> slot = world_.device.Create(arena.slot, false)) arena.mapped.push_back(*slot);
  }
}

SimClient::Arena* SimClient::FindArena(LeaseId lease) {
  for (auto& [id, arena] : arenas_) {
    if (lease && arena.lease == lease) return &arena;
  }
  return nullptr;
}

SimClient::Arena* SimClient::AnyArena() {
  if (arenas_.empty()) return nullptr;
  return &std::next(arenas_.begin(), static_cast<std::ptrdiff_t>(world_.rng.Below(arenas_.size())))->second;
}

Bytes SimClient::mapped() const {
  Bytes sum;
  for (const auto& [id, arena] : arenas_) sum += arena.slot * arena.mapped.size();
  return sum;
}

Bytes SimClient::Held() const {
  Bytes sum;
  for (const auto& [id, arena] : arenas_) sum += arena.slot * (arena.here() + arena.unfetched());
  return sum;
}

// ---------------------------------------------------------------- room

void SimClient::AskForRoom(Bytes bytes, absl::Duration ttl) {
  room_ = OwnRoom{.request = next_room_++, .bytes = bytes};
  const event::ReserveExternal ask = {.session = session(), .request = room_->request, .bytes = bytes, .ttl = ttl};
  SendMessage(ask);
}

void SimClient::RoomIsReady(const effect::TellRoomReady& ready) {
  if (!room_.has_value() || room_->request != ready.request || room_->ready) return;
  room_->ready = true;
  FillRoom();
}

void SimClient::FillRoom() {
  Rng& rng = world_.rng;
  // All at once, in parts, or nothing.
  const uint64_t parts = rng.Below(4);
  for (uint64_t part = 1; part <= parts; ++part) {
    world_.timeline.After(rng.UpTo(absl::Seconds(2)), [this, request = room_->request, parts] {
      if (!alive_ || calm_ || frozen_ || !room_.has_value() || room_->request != request) return;
      const Bytes left = MinusOrZero(room_->bytes, room_->taken);
      const Bytes taken = world_.device.TakeOutside(parts == 1 ? left : Bytes(left.in_bytes() / 2));
      room_->taken += taken;
      outside_ += taken;
      if (world_.rng.Chance(30)) SettleRoom();
    });
  }
}

void SimClient::SettleRoom() {
  if (!room_.has_value()) return;
  SendMessage(event::ExternalSettled{.session = session(), .request = room_->request, .bytes = room_->taken});
  room_.reset();
}

// ---------------------------------------------------------------- what arrives

void SimClient::Arrive(const ConnectionPtr& connection, Timeline::Task task, Timeline::Task lost) {
  if (!alive_ || connection != connection_) return lost();
  if (frozen_) return inbox_.push_back({connection, std::move(task), std::move(lost)});
  task();
}

void SimClient::Welcome(const effect::Admit& admit) {
  session_ = admit.session;
  before_ = admit.session;
  before_epoch_ = connection_->epoch;
  auto opened = admit.arenas.begin();
  for (auto& [id, arena] : arenas_) {
    const uint64_t held = arena.mapped.size();
    arena = {.description = arena.description,
             .slot = arena.slot,
             .lease = (opened++)->lease,
             .granted = held,
             .received = held,
             .mapped = std::move(arena.mapped),
             .use = arena.use};
    arena.wish = held;
  }
}

void SimClient::Refused() {
  Closed();
  not_before_ = world_.timeline.now() + absl::Milliseconds(500);
  if (world_.rng.Chance(20) && !calm_) DropEverything();
}

void SimClient::Opened(const effect::TellArenaOpened& opened) {
  const auto it = arenas_.find(opened.arena);
  if (it == arenas_.end()) return;
  it->second.lease = opened.lease;
  const uint64_t slots = it->second.description.slots;
  Wish(it->second, traits_.grows ? slots : world_.rng.Below(slots + 1), 0);
}

void SimClient::Granted(const effect::TellGrant& grant) {
  Arena* arena = FindArena(grant.lease);
  if (arena == nullptr) return;
  arena->granted = std::max(arena->granted, grant.total);
  arena->nothing_to_fetch = false;
  arena->heard_since_fetch = true;
  Fetch(*arena, BatchId());
}

void SimClient::Revoked(const effect::TellRevoke& revoke) {
  Arena* arena = FindArena(revoke.lease);
  if (arena == nullptr) return;
  arena->revoked = std::max(arena->revoked, revoke.total);
  Fetch(*arena, BatchId());  // what is left beside a batch that was not imported
}

void SimClient::Aim(const effect::TellTarget& target) {
  if (target.revision <= target_revision_) return;
  target_revision_ = target.revision;
  target_ = target.max;
  if (traits_.wants_within_target) {
    for (auto& [id, arena] : arenas_) WantWithinTarget(arena);
  }
  if (OverTarget()) AnswerLater();
}

void SimClient::WantWithinTarget(Arena& arena) {
  if (!arena.lease) return;
  const uint64_t allowed = WithinTarget(arena, arena.wish);
  if (allowed != arena.want) WantMore(arena, allowed, arena.min_useful);
}

void SimClient::AnswerLater() {
  if (answering_ || (traits_.responds == kNever && !calm_)) return;
  answering_ = true;
  world_.timeline.After(calm_ ? absl::Milliseconds(5) : traits_.responds, [this, connection = connection_] {
    answering_ = false;
    if (!alive_ || !connected() || poisoned_ || leaving_) return;
    if (connection != connection_ || frozen_) {
      if (OverTarget()) AnswerLater();
      return;
    }
    Answer();
  });
}

void SimClient::Answer() {
  if (!target_.has_value()) return;
  // Whole slots as far as they fit, and a last one of the arena that has the smallest.
  Bytes over = MinusOrZero(Held(), *target_);
  std::map<ArenaId, uint64_t> given;
  Arena* smallest = nullptr;
  for (auto& [id, arena] : arenas_) {
    if (!arena.lease) continue;
    const uint64_t can = arena.mapped.size() - std::min<uint64_t>(arena.use.pinned, arena.mapped.size());
    given[id] = std::min(can, over / arena.slot);
    over -= arena.slot * given[id];
    if (given[id] < can && (smallest == nullptr || arena.slot < smallest->slot)) smallest = &arena;
  }
  if (!over.IsZero() && smallest != nullptr) ++given[smallest->description.id];
  for (auto& [id, arena] : arenas_) {
    if (given[id] > 0) GiveBack(arena, given[id]);
  }
}

void SimClient::Erred(const effect::TellError& error) {
  if (error.request != 0 && room_.has_value() && room_->request == error.request) room_.reset();
  const auto it = arenas_.find(error.arena);
  if (error.want_revision == 0 || it == arenas_.end()) return;
  // Such a request fails; what it holds it can use.
  Wish(it->second, std::min(it->second.want, it->second.held()), 0);
}

void SimClient::Handles(const effect::HandOver& batch, std::vector<Slot> slots) {
  Arena* arena = FindArena(batch.lease);
  if (arena == nullptr) return LetGo(slots);
  arena->fetching = false;
  if (slots.empty()) {
    // That was so when it was answered: a Grant on the other channel may have come since.
    arena->nothing_to_fetch = !arena->heard_since_fetch;
    return Fetch(*arena, BatchId());
  }
  if (world_.rng.Chance(traits_.nacks)) {
    LetGo(slots);
    return SendFrame(event::Nack{.session = session(), .lease = batch.lease, .batch = batch.batch, .error = "nack"});
  }
  arena->received += slots.size();
  arena->importing.insert(arena->importing.end(), slots.begin(), slots.end());
  Imported(arena->description.id, batch, connection_);
}

void SimClient::Imported(ArenaId id, const effect::HandOver& batch, const ConnectionPtr& connection) {
  world_.timeline.After(world_.rng.UpTo(traits_.imports), [this, id, batch, connection] {
    Arena* arena = FindArena(batch.lease);
    if (!alive_ || connection != connection_ || arena == nullptr || arena->description.id != id) return;
    if (frozen_) return Imported(id, batch, connection);
    arena->mapped.insert(arena->mapped.end(), arena->importing.begin(), arena->importing.end());
    arena->importing.clear();
    Adopted(*arena);
    Fetch(*arena, batch.batch);
    if (OverTarget()) AnswerLater();
  });
}

void SimClient::Closed() {
  connection_.reset();
  session_.reset();
  leaving_ = false;
  target_.reset();
  target_revision_ = 0;
  room_.reset();
  for (auto it = arenas_.begin(); it != arenas_.end();) {
    Arena& arena = it->second;
    // What has just arrived is kept, or not.
    if (world_.rng.Chance(50))
      arena.mapped.insert(arena.mapped.end(), arena.importing.begin(), arena.importing.end());
    else
      LetGo(arena.importing);
    arena.importing.clear();
    arena.lease = LeaseId();
    it = arena.mapped.empty() ? arenas_.erase(it) : std::next(it);
  }
}

}  // namespace kvbroker::sim
