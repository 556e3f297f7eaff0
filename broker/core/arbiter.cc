#include "broker/core/arbiter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

// How soon to look again for memory that was given back and does not show yet: doubling between these two.
constexpr absl::Duration kSoonestLook = absl::Milliseconds(1);
constexpr absl::Duration kLatestLook = absl::Milliseconds(100);

// The device is looked at ten times a second: a longer silence means that the machine slept, or its processor was away.
constexpr absl::Duration kLongestPause = absl::Seconds(5);
// So many sessions that ended are remembered, for who asks whose memory came late.
constexpr size_t kRememberedEnds = 32;

}  // namespace

Arbiter::Arbiter(const Options& options, const Policy& policy)
    : options_(options),
      policy_(policy),
      device_(options.device),
      tenants_(options.tenants, options.set_tenants, options.other_tenants),
      sample_backoff_(kSoonestLook),
      policy_revision_(options.policy_revision) {}

std::vector<Effect> Arbiter::Step(const Event& event, absl::Time now) {
  if (now - now_ > kLongestPause && now_ != absl::InfinitePast()) ExtendDeadlines(now - now_);
  now_ = now;
  effects_.clear();
  std::visit([this](const auto& e) { On(e); }, event);
  // Confirming a batch or making one changes nothing that the policy decides on: most steps end here.
  const bool planned = std::exchange(plan_is_due_, false);
  if (planned) {
    RemoveWhatEnded();
    UpdateRooms();
    WatchTargets();
    EndSqueezes();
    Replan();
  }
  Journal(planned);
  return std::exchange(effects_, {});
}

// ---------------------------------------------------------------- sessions

absl::Status Arbiter::CheckHello(const event::Hello& hello) const {
  if (!hello.device_uuid.empty() && hello.device_uuid != options_.device_uuid) {
    return absl::InvalidArgumentError(
        absl::StrCat("this broker owns ", options_.device_uuid, ", not '", hello.device_uuid, "'"));
  }
  if (!options_.admits && !ComesBack(hello)) {
    return absl::FailedPreconditionError(absl::StrCat(
        options_.device_uuid, " is drained: no new sessions are admitted until an operator says kvctl drain --off"));
  }
  if (hello.role != SessionRole::kSingle) {
    return absl::UnimplementedError(
        "engines of several processes (tensor parallelism) are not served yet: open the session with role single");
  }
  if (ledger_.sessions().size() >= kMostSessions) {
    return absl::ResourceExhaustedError(absl::StrCat("there are ", kMostSessions, " sessions already"));
  }
  const auto is_same_user = [&](const auto& entry) { return entry.second.process.uid == hello.process.uid; };
  if (std::count_if(ledger_.sessions().begin(), ledger_.sessions().end(), is_same_user) >=
      static_cast<std::ptrdiff_t>(kMostSessionsOfUser)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("uid ", hello.process.uid, " has ", kMostSessionsOfUser, " sessions already"));
  }
  KVB_RETURN_IF_ERROR(
      options_.access.Check(hello.tenant, {.process = hello.process, .cgroup = hello.cgroup, .door = hello.door}));
  if (options_.require_zero && !zeroing_.ok() && only_user_.value_or(hello.process.uid) != hello.process.uid) {
    // UNAVAILABLE while nothing is known: who comes back with memory tries again.
    const auto code =
        absl::IsUnavailable(zeroing_) ? absl::StatusCode::kUnavailable : absl::StatusCode::kFailedPrecondition;
    return absl::Status(code, absl::StrCat("uid ", *only_user_, " alone is served, not uid ", hello.process.uid,
                                           ": require_zero is set, and ", zeroing_.message()));
  }
  if (hello.held.size() > kMostArenas) {
    return absl::InvalidArgumentError(
        absl::StrCat(hello.held.size(), " arenas in one session; ", kMostArenas, " may be"));
  }
  Bytes held;
  for (size_t i = 0; i < hello.held.size(); ++i) {
    KVB_RETURN_IF_ERROR(CheckArena(hello.held[i].arena));
    if (hello.held[i].slots > hello.held[i].arena.slots) {
      return absl::InvalidArgumentError(absl::StrCat("arena ", hello.held[i].arena.id.value(), " has ",
                                                     hello.held[i].arena.slots, " slots and cannot hold ",
                                                     hello.held[i].slots));
    }
    held += Sum(hello.held[i].arena.planes) * hello.held[i].slots;
    for (size_t j = 0; j < i; ++j) {
      if (hello.held[j].arena.id == hello.held[i].arena.id) {
        return absl::InvalidArgumentError(
            absl::StrCat("arena ", hello.held[i].arena.id.value(), " stands there twice"));
      }
    }
  }
  // What a client says it brought along must be there: nobody gets the device's capacity booked away by claiming it.
  // What this process had already needs no proof; bytes that somebody let go of and that still show may be anybody's,
  // who lost the connection while they were handed over.
  Bytes own;
  Bytes explained;
  for (const auto& [id, session] : ledger_.sessions()) {
    const DeviceView::Books books = ledger_.BooksOf(session);
    if (Supersedes(hello, session)) {
      own += books.present;
    } else {
      explained += books.present - books.returned;
    }
  }
  const Bytes used = MinusOrZero(device_.total(), device_.free());
  const Bytes possible = own + MinusOrZero(used, explained + own);
  if (held > possible) {
    return absl::FailedPreconditionError(absl::StrCat("the device shows ", ToString(possible),
                                                      " in use that may be this process's, not ", ToString(held)));
  }
  return absl::OkStatus();
}

bool Arbiter::ComesBack(const event::Hello& hello) const {
  return hello.comes_back || !hello.held.empty() ||
         std::any_of(ledger_.sessions().begin(), ledger_.sessions().end(),
                     [&](const auto& entry) { return Supersedes(hello, entry.second); });
}

bool Arbiter::Supersedes(const event::Hello& hello, const SessionRecord& session) const {
  if (session.process != hello.process || session.state == SessionState::kDraining) return false;
  // A new connection may be seen before the end of the old one is, or the old one be kept open by a child.
  if (session.id == hello.resumes) return true;
  return session.state == SessionState::kLost && session.tenant == hello.tenant && session.instance == hello.instance;
}

void Arbiter::On(const event::Hello& hello) {
  absl::Status check = CheckHello(hello);
  Tenants::Tenant* tenant = nullptr;
  if (check.ok()) {
    absl::StatusOr<Tenants::Tenant*> admitted = tenants_.Admit(hello.tenant);
    check = admitted.status();
    if (check.ok()) tenant = *admitted;
  }
  if (!check.ok()) {
    ++counters_.refusals;
    Warn(absl::StrCat("connection refused pid=", hello.process.pid, " uid=", hello.process.uid, ": ", check.message()));
    Emit(effect::Refuse{.connection = hello.connection, .status = check});
    return;
  }

  if (!only_user_.has_value()) only_user_ = hello.process.uid;
  // The same process anew: what it had in the session it lost, it has in this one or no more.
  for (auto& [id, old] : ledger_.sessions()) {
    if (Supersedes(hello, old)) Drain(old, "its process came back as a new session");
  }
  const Bytes in_doubt = ledger_.Books().returned;

  const SessionId id = journalled_.next_session();
  SessionRecord& session = ledger_.AddSession({.id = id,
                                               .tenant = hello.tenant,
                                               .instance = hello.instance,
                                               .role = hello.role,
                                               .process = hello.process,
                                               .engine = hello.engine,
                                               .opened = now_,
                                               .floor = hello.floor});
  plan_is_due_ = true;
  ++counters_.sessions_opened;
  effect::Admit admit = {.connection = hello.connection,
                         .session = id,
                         .capacity = device_.Capacity(ledger_.Books()),
                         .limit = tenant->policy.limit};
  for (const event::Hello::Held& held : hello.held) {
    Lease& lease = ledger_.AddLease(session, held.arena.id, held.arena.planes, held.arena.slots);
    lease.Adopt(held.slots);
    adopted_ = adopted_ || held.slots > 0;
    admit.arenas.push_back({.id = held.arena.id, .lease = lease.id()});
  }
  Emit(std::move(admit));
  device_.Adopted(MinusOrZero(ledger_.BooksOf(session).present, in_doubt));
  // What the process uses beside what it will borrow (a context, some 500 MiB) is seen before anything is borrowed.
  Emit(effect::SampleDevice{});
  if (tenant->policy.limit.has_value() && hello.floor > *tenant->policy.limit) {
    Warn(absl::StrCat("tenant ", tenant->name, " may starve: one of its longest requests needs ", ToString(hello.floor),
                      ", its limit is ", ToString(*tenant->policy.limit)));
  }
  Inform(absl::StrCat("session opened ", Describe(session), " uid=", session.process.uid, " engine='", session.engine,
                      "' held=", ledger_.ChargedTo(session).in_bytes()));
}

void Arbiter::On(const event::Poisoned& poisoned) {
  SessionRecord* session = ActiveSession(poisoned.session);
  if (session == nullptr) return;
  KVB_CHECK(Transition(session->state, SessionState::kPoisoned).ok(), "an active session can be poisoned");
  StopHandingOver(*session);
  plan_is_due_ = true;
  Warn(absl::StrCat("session poisoned ", Describe(*session), ": ", poisoned.error));
}

void Arbiter::On(const event::Goodbye& goodbye) {
  if (SessionRecord* session = ActiveSession(goodbye.session)) Drain(*session, "it said goodbye");
}

void Arbiter::On(const event::ConnectionLost& lost) {
  SessionRecord* session = ledger_.FindSession(lost.session);
  if (session == nullptr || session->state != SessionState::kActive) return;
  KVB_CHECK(Transition(session->state, SessionState::kLost).ok(), "an active session can be lost");
  Warn(absl::StrCat("session lost ", Describe(*session), ": its connection closed, its process lives"));
  StopHandingOver(*session);
  plan_is_due_ = true;
  if (ledger_.ChargedTo(*session).IsZero()) Drain(*session, "it holds nothing");
}

void Arbiter::StopHandingOver(SessionRecord& session) {
  // Room that is ready may be in use already; for room that is not, nobody waits any more.
  const Room* room = rooms_.Find(session.id);
  if (room != nullptr && room->state != RoomState::kReady && room->state != RoomState::kSettled)
    rooms_.Remove(session.id, now_);
  // Nobody will fetch what waits. What was being handed over may have arrived or not: the device will show it.
  for (const auto& [arena, id] : session.leases) {
    Lease& lease = *ledger_.FindLease(id);
    lease.want = Lease::Want();
    lease.pending_fetch.reset();
    const Lease::Revoked revoked = lease.Revoke(lease.counts().held());
    Discard(id, revoked.discard);
    if (lease.batch_out()) {
      Emit(effect::DropBatch{.lease = id, .batch = lease.batch()});
      NoteReturned(id, *lease.Nack(lease.batch()));
    }
  }
}

void Arbiter::On(const event::ProcessEnded& ended) {
  rooms_.ProcessEnded(ended.session);
  SessionRecord* session = ledger_.FindSession(ended.session);
  if (session != nullptr && session->state != SessionState::kDraining) Drain(*session, "its process ended");
}

void Arbiter::Drain(SessionRecord& session, absl::string_view why) {
  KVB_CHECK(Transition(session.state, SessionState::kDraining).ok(), "a session drains once");
  plan_is_due_ = true;
  rooms_.Remove(session.id, now_);
  if (rooms_.NeedsLook()) Emit(effect::SampleDevice{});
  const Bytes charged = ledger_.ChargedTo(session);
  session.ended_with = charged;
  for (const auto& [arena, id] : session.leases) Abandon(*ledger_.FindLease(id));
  Inform(absl::StrCat("session draining ", Describe(session), " held=", charged.in_bytes(), ": ", why));
}

void Arbiter::Abandon(Lease& lease) {
  lease.closed = true;
  const uint64_t returned_before = lease.counts().returned;
  const Lease::Abandoned abandoned = lease.Abandon();
  if (abandoned.batch_out) Emit(effect::DropBatch{.lease = lease.id(), .batch = lease.batch()});
  if (abandoned.discard > 0) Emit(effect::DiscardMade{.lease = lease.id(), .slots = abandoned.discard});
  NoteReturned(lease.id(), lease.counts().returned - returned_before);
}

void Arbiter::RemoveWhatEnded() {
  std::vector<LeaseId> ended_leases;
  for (const auto& [id, lease] : ledger_.leases()) {
    if (lease.closed && lease.counts().charged() == 0) ended_leases.push_back(id);
  }
  for (const LeaseId id : ended_leases) ledger_.RemoveLease(id);

  std::vector<SessionId> ended_sessions;
  for (auto& [id, session] : ledger_.sessions()) {
    if (session.state == SessionState::kLost && ledger_.ChargedTo(session).IsZero()) {
      for (const auto& [arena, lease] : std::map(session.leases)) ledger_.RemoveLease(lease);
      Drain(session, "it holds nothing any more");
    }
    if (session.state == SessionState::kDraining && session.leases.empty()) ended_sessions.push_back(id);
  }
  for (const SessionId id : ended_sessions) {
    SessionRecord& session = *ledger_.FindSession(id);
    KVB_CHECK(Transition(session.state, SessionState::kGone).ok(), "a drained session goes");
    ++counters_.sessions_ended;
    Inform(absl::StrCat("session ended ", Describe(session), ": its memory is back"));
    if (!session.ended_with.IsZero()) ended_.emplace_back(Describe(session), now_);
    if (ended_.size() > kRememberedEnds) ended_.pop_front();
    Emit(effect::EndSession{.session = id});
    ledger_.RemoveSession(id);
  }
}

SessionRecord* Arbiter::ActiveSession(SessionId id) {
  SessionRecord* session = ledger_.FindSession(id);
  return session != nullptr && session->state == SessionState::kActive ? session : nullptr;
}

void Arbiter::RefuseMessage(const SessionRecord& session, ArenaId arena, absl::Status status, uint64_t want_revision) {
  ++counters_.refusals;
  Warn(absl::StrCat("message refused ", Describe(session), ": ", status.message()));
  Emit(effect::TellError{
      .session = session.id, .arena = arena, .status = std::move(status), .want_revision = want_revision});
}

void Arbiter::RefuseFrame(const SessionRecord& session, absl::Status status) {
  ++counters_.refusals;
  Warn(absl::StrCat("session disconnected ", Describe(session), ": ", status.message()));
  Emit(effect::Disconnect{.session = session.id, .status = std::move(status)});
}

// ---------------------------------------------------------------- arenas and wants

absl::Status Arbiter::CheckArena(const ArenaDescription& arena) const {
  const auto bad = [&](auto... parts) {
    return absl::InvalidArgumentError(absl::StrCat("arena ", arena.id.value(), ": ", parts...));
  };
  if (!arena.id) return bad("an arena's number is not 0");
  if (arena.planes.empty() || arena.planes.size() > kMostPlanes) {
    return bad(arena.planes.size(), " planes; 1 to ", kMostPlanes, " may be");
  }
  if (arena.slots == 0 || arena.slots > kMostSlots) return bad(arena.slots, " slots; 1 to ", kMostSlots, " may be");
  constexpr Bytes kLargestExtent = GiB(64);
  for (const Bytes plane : arena.planes) {
    if (plane.IsZero() || plane > kLargestExtent || plane.in_bytes() % options_.granularity.in_bytes() != 0) {
      return bad("an extent of ", plane.in_bytes(), " bytes is no multiple of ", ToString(options_.granularity),
                 " up to ", ToString(kLargestExtent));
    }
  }
  const Bytes slot = Sum(arena.planes);
  if (arena.slots > kLargestArena / slot) {
    return bad(arena.slots, " slots of ", ToString(slot), " are more than ", ToString(kLargestArena));
  }
  return absl::OkStatus();
}

void Arbiter::On(const event::ArenaOpen& open) {
  SessionRecord* session = ActiveSession(open.session);
  if (session == nullptr) return;
  absl::Status check = CheckArena(open.arena);
  if (check.ok() && session->leases.count(open.arena.id) != 0) {
    check = absl::AlreadyExistsError(absl::StrCat("arena ", open.arena.id.value(), " is open already"));
  }
  if (check.ok() && session->leases.size() >= kMostArenas) {
    check = absl::ResourceExhaustedError(absl::StrCat("the session has ", kMostArenas, " arenas already"));
  }
  if (!check.ok()) return RefuseMessage(*session, open.arena.id, std::move(check));
  const Lease& lease = ledger_.AddLease(*session, open.arena.id, open.arena.planes, open.arena.slots);
  Emit(effect::TellArenaOpened{.session = session->id, .arena = open.arena.id, .lease = lease.id()});
}

void Arbiter::On(const event::ArenaClose& close) {
  SessionRecord* session = ActiveSession(close.session);
  if (session == nullptr) return;
  Lease* lease = ledger_.FindLease(session->id, close.arena);
  if (lease == nullptr) {
    return RefuseMessage(*session, close.arena,
                         absl::NotFoundError(absl::StrCat("no arena ", close.arena.value(), " is open")));
  }
  if (lease->closed) return;
  if (lease->pending_fetch.has_value()) NothingToFetch(*session, lease->id());
  Abandon(*lease);
  plan_is_due_ = true;
}

void Arbiter::On(const event::Want& want) {
  SessionRecord* session = ActiveSession(want.session);
  if (session == nullptr) return;
  Lease* lease = ledger_.FindLease(session->id, want.arena);
  if (lease == nullptr || lease->closed) {
    return RefuseMessage(*session, want.arena,
                         absl::NotFoundError(absl::StrCat("no arena ", want.arena.value(), " is open")));
  }
  if (want.revision <= lease->want.revision) return;  // an older one, overtaken
  if (want.slots > lease->slots()) {
    return RefuseMessage(*session, want.arena,
                         absl::InvalidArgumentError(absl::StrCat("arena ", want.arena.value(), " has ", lease->slots(),
                                                                 " slots and cannot want ", want.slots)));
  }
  lease->want.revision = want.revision;
  lease->want.slots = want.slots;
  lease->want.min_useful = want.min_useful;
  plan_is_due_ = true;
  // Granted, not yet fetched, and no longer wanted: it is free for others.
  const uint64_t held = lease->counts().held();
  if (held > want.slots) {
    const Lease::Revoked revoked = lease->Revoke(held - want.slots);
    if (revoked.slots > 0) {
      Emit(effect::TellRevoke{.session = session->id, .lease = lease->id(), .total = lease->total_revoked()});
    }
    Discard(lease->id(), revoked.discard);
    AnswerFetch(*lease);
  }
}

void Arbiter::On(const event::Released& released) {
  SessionRecord* session = ActiveSession(released.session);
  if (session == nullptr) return;
  Lease* lease = OpenLease(*session, released.lease);
  if (lease == nullptr) {
    return RefuseMessage(*session, ArenaId(), absl::NotFoundError(absl::StrCat("no lease ", released.lease.value())));
  }
  const absl::StatusOr<uint64_t> more = lease->Release(released.total);
  if (!more.ok()) return RefuseMessage(*session, lease->arena(), more.status());
  if (session->target.asked()) {
    Tenants::Tenant& tenant = tenants_.all().at(session->tenant);
    const Bytes too_much = MinusOrZero(HeldBy(*session) + lease->slot_bytes() * *more, *session->target.max());
    tenant.reclaimed += std::min(too_much, lease->slot_bytes() * *more);
  }
  NoteReturned(lease->id(), *more);
}

void Arbiter::On(const event::Unsupported& unsupported) {
  if (SessionRecord* session = ActiveSession(unsupported.session)) {
    RefuseMessage(*session, ArenaId(), absl::UnimplementedError(unsupported.what));
  }
}

Lease* Arbiter::OpenLease(const SessionRecord& session, LeaseId id) {
  Lease* lease = ledger_.FindLease(id);
  return lease != nullptr && lease->session() == session.id && !lease->closed ? lease : nullptr;
}

bool Arbiter::IsClosed(const SessionRecord& session, LeaseId id) const {
  const auto it = ledger_.leases().find(id);
  if (it == ledger_.leases().end()) return ledger_.HasEnded(id);
  return it->second.session() == session.id && it->second.closed;
}

Lease* Arbiter::LeaseOfFrame(const SessionRecord& session, LeaseId id) {
  Lease* lease = OpenLease(session, id);
  if (lease == nullptr && !IsClosed(session, id)) {
    RefuseFrame(session, absl::NotFoundError(absl::StrCat("no lease ", id.value())));
  }
  return lease;
}

// ---------------------------------------------------------------- handing over

void Arbiter::On(const event::Fetch& fetch) {
  SessionRecord* session = ActiveSession(fetch.session);
  if (session == nullptr) return;
  if (fetch.max_slots == 0) return RefuseFrame(*session, absl::InvalidArgumentError("a Fetch of at most 0 slots"));
  if (IsClosed(*session, fetch.lease)) return NothingToFetch(*session, fetch.lease);
  Lease* lease = LeaseOfFrame(*session, fetch.lease);
  if (lease == nullptr) return;
  if (fetch.confirm && !ConfirmBatch(*session, *lease, fetch.confirm)) return;
  if (lease->batch_out() || lease->pending_fetch.has_value()) {
    return RefuseFrame(*session, absl::FailedPreconditionError(absl::StrCat(
                                     "lease ", lease->id().value(), " has a batch out (", lease->batch().value(),
                                     ") or a Fetch waiting, and only one may be")));
  }
  lease->pending_fetch = fetch.max_slots;
  AnswerFetch(*lease);
}

void Arbiter::AnswerFetch(Lease& lease) {
  if (!lease.pending_fetch.has_value()) return;
  const Lease::Counts& counts = lease.counts();
  if (counts.made == 0 && counts.making + counts.starved > 0) return;  // soon
  const uint64_t batch_limit = std::max<uint64_t>(1, kBatchDescriptors / lease.planes().size());
  const uint64_t slots = std::min({counts.made, *lease.pending_fetch, batch_limit});
  lease.pending_fetch.reset();
  BatchId batch;
  if (slots > 0) batch = *lease.Send(slots);
  Emit(effect::HandOver{.session = lease.session(), .lease = lease.id(), .batch = batch, .slots = slots});
}

void Arbiter::NothingToFetch(const SessionRecord& session, LeaseId lease) {
  Emit(effect::HandOver{.session = session.id, .lease = lease});
}

bool Arbiter::ConfirmBatch(SessionRecord& session, Lease& lease, BatchId batch) {
  const absl::StatusOr<Lease::Confirmed> confirmed = lease.Confirm(batch);
  if (!confirmed.ok()) {
    RefuseFrame(session, confirmed.status());
    return false;
  }
  if (confirmed->slots > 0) Emit(effect::DropBatch{.lease = lease.id(), .batch = batch});
  NoteReturned(lease.id(), confirmed->returned);
  return true;
}

void Arbiter::On(const event::Confirm& confirm) {
  SessionRecord* session = ActiveSession(confirm.session);
  if (session == nullptr) return;
  Lease* lease = LeaseOfFrame(*session, confirm.lease);
  if (lease == nullptr) return;
  ConfirmBatch(*session, *lease, confirm.batch);
}

void Arbiter::On(const event::Nack& nack) {
  SessionRecord* session = ActiveSession(nack.session);
  if (session == nullptr) return;
  Lease* lease = LeaseOfFrame(*session, nack.lease);
  if (lease == nullptr) return;
  const absl::StatusOr<uint64_t> slots = lease->Nack(nack.batch);
  if (!slots.ok()) return RefuseFrame(*session, slots.status());
  if (*slots == 0) return;
  Warn(absl::StrCat("batch not imported ", Describe(*session), " slots=", *slots, ": ", nack.error));
  Emit(effect::DropBatch{.lease = lease->id(), .batch = nack.batch});
  Emit(effect::TellRevoke{.session = session->id, .lease = lease->id(), .total = lease->total_revoked()});
  NoteReturned(lease->id(), *slots);
}

// ---------------------------------------------------------------- the device

void Arbiter::On(const event::Made& made) {
  Lease* lease = ledger_.FindLease(made.lease);
  KVB_CHECK(lease != nullptr, "a lease outlives what is made for it");
  device_.Made(lease->slot_bytes() * made.slots);
  Discard(lease->id(), lease->Made(made.slots));
  AnswerFetch(*lease);
}

void Arbiter::On(const event::MakeFailed& failed) {
  Lease* lease = ledger_.FindLease(failed.lease);
  KVB_CHECK(lease != nullptr, "a lease outlives what is made for it");
  lease->MakeFailed(failed.slots);
  plan_is_due_ = true;  // what nobody waited for any more is not charged any more
  ++counters_.create_failures;
  // A full device is ordinary, and the slots keep their place; anything else an operator wants to know.
  if (failed.error.code() != absl::StatusCode::kResourceExhausted) {
    Warn(absl::StrCat("making extents failed lease=", failed.lease.value(), " slots=", failed.slots, ": ",
                      failed.error.message()));
  }
  Emit(effect::SampleDevice{.delay = kLatestLook});
}

void Arbiter::On(const event::DeviceSample& sample) {
  plan_is_due_ = time_matters_ || sample.total != device_.total() || sample.free != device_.free() ||
                 now_ - planned_ >= options_.quiet_interval;
  device_.Sample(sample.total, sample.free, now_, ledger_.Books());
  NoteLook();
  CreditReturned();
  RetryStarved();
}

void Arbiter::On(const event::DeviceLost& lost) {
  for (auto& [id, session] : ledger_.sessions()) {
    if (session.state == SessionState::kActive) {
      Emit(effect::Disconnect{.session = id, .status = absl::DataLossError(lost.why)});
    }
    if (session.state != SessionState::kDraining) Drain(session, "the device is lost");
  }
  // Nobody has any of it any more, nor has the next broker to ask for it.
  ledger_.CreditReturned(ledger_.Books().returned);
}

void Arbiter::On(const event::ZeroingChecked& checked) {
  zeroing_ = checked.status;
  if (zeroing_.ok()) return Inform("zeroing checked: what is given out anew is zero");
  // Not the code that says that nothing is known yet.
  if (absl::IsUnavailable(zeroing_)) zeroing_ = absl::FailedPreconditionError(zeroing_.message());
  Warn(absl::StrCat(
      absl::IsDataLoss(zeroing_) ? "what is given out anew is not zeroed: " : "zeroing could not be checked: ",
      zeroing_.message()));
}

void Arbiter::NoteReturned(LeaseId lease, uint64_t slots) {
  if (slots == 0) return;
  plan_is_due_ = true;
  ledger_.NoteReturned(lease, slots);
  sample_backoff_ = kSoonestLook;
  Emit(effect::SampleDevice{});
}

void Arbiter::Discard(LeaseId lease, uint64_t slots) {
  if (slots == 0) return;
  Emit(effect::DiscardMade{.lease = lease, .slots = slots});
  NoteReturned(lease, slots);
}

void Arbiter::CreditReturned() {
  const DeviceView::Returned returned = device_.SeenReturned(ledger_.Books());
  if (!returned.of_others.IsZero()) {
    std::vector<uint64_t> sessions;
    for (const auto& [id, session] : ledger_.sessions()) {
      if (!ledger_.BooksOf(session).returned.IsZero()) sessions.push_back(id.value());
    }
    const Bytes credited = ledger_.CreditReturned(returned.Sum());
    const Bytes written_off = MinusOrZero(credited, returned.free);
    device_.WroteOff(ledger_.Books());
    counters_.written_off += written_off;
    if (!written_off.IsZero()) {
      Warn(absl::StrCat("memory given back is still in use sessions=", absl::StrJoin(sessions, ","),
                        " bytes=", written_off.in_bytes(),
                        ": not let go of, or a program outside took as much meanwhile; counted as used by others"));
    }
  } else {
    ledger_.CreditReturned(returned.free);
  }
  if (ledger_.Books().returned.IsZero()) return;
  Emit(effect::SampleDevice{.delay = sample_backoff_});
  sample_backoff_ = std::min(sample_backoff_ * 2, kLatestLook);
}

void Arbiter::StartMaking(Lease& lease, uint64_t slots) {
  lease.StartMaking(slots);
  Emit(effect::MakeExtents{.lease = lease.id(), .planes = lease.planes(), .slots = slots});
}

void Arbiter::RetryStarved() {
  Bytes room = MinusOrZero(device_.free(), device_.options().headroom + rooms_.HeldBack(RoomDevice(ledger_.Books())));
  for (auto& [id, lease] : ledger_.leases()) {
    room = MinusOrZero(room, lease.slot_bytes() * (lease.counts().making + lease.counts().unwanted));
  }
  for (auto& [id, lease] : ledger_.leases()) {
    const uint64_t slots = std::min(lease.counts().starved, room / lease.slot_bytes());
    if (slots == 0) continue;
    room -= lease.slot_bytes() * slots;
    StartMaking(lease, slots);
  }
}

void Arbiter::Warn(std::string text) { Emit(effect::Note{effect::Note::Level::kWarning, std::move(text)}); }
void Arbiter::Inform(std::string text) { Emit(effect::Note{effect::Note::Level::kInfo, std::move(text)}); }

}  // namespace kvbroker
