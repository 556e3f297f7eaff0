#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/core/arbiter.h"
#include "common/base/check.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

// A report of what is held counts for so long. Clients report each change, and repeat what has not changed each 5 s: two
// repeats may be late. (Each second, 64 quiet sessions would cost more than all else that a quiet broker does.)
constexpr absl::Duration kReportCounts = absl::Seconds(12);

// From SIGTERM to SIGKILL, where a tenant's policy ends processes that miss a target.
constexpr absl::Duration kMercy = absl::Seconds(5);

// What an answer takes at the most, beside what the engine says that it takes.
constexpr absl::Duration kOnTheWay = absl::Milliseconds(100);

// What a want is counted in where a tenant without an arena is simulated.
constexpr Bytes kSimulatedSlot = MiB(32);

}  // namespace

// ---------------------------------------------------------------- what clients say of themselves

void Arbiter::On(const event::HoldingReport& report) {
  SessionRecord* session = ActiveSession(report.session);
  if (session == nullptr) return;
  Lease* lease = ledger_.FindLease(session->id, report.arena);
  if (lease == nullptr || lease->closed) return;  // it was on its way when the arena was closed
  // Nothing holds more than the whole arena, whatever is claimed: sums stay within bounds.
  const Bytes most = lease->slot_bytes() * lease->slots();
  lease->holding = report.holding;
  Holding& holding = lease->holding;
  for (Bytes* bytes :
       {&holding.spare, &holding.free, &holding.compactable, &holding.preemptible, &holding.pinned, &holding.refault}) {
    *bytes = std::min(*bytes, most);
  }
  for (Bytes& bytes : holding.cached_by_age) bytes = std::min(bytes, most);
  // Where somebody waits, cheaper bytes may have appeared; else the next look is soon enough.
  if (lease->reported == absl::InfinitePast() || !plan_.asked.IsZero()) plan_is_due_ = true;
  lease->reported = now_;
}

void Arbiter::On(const event::ReserveExternal& reserve) {
  SessionRecord* session = ActiveSession(reserve.session);
  if (session == nullptr) return;
  const Room* room = rooms_.Find(session->id);
  if (room != nullptr && reserve.request <= room->request) {
    if (reserve.request == room->request && room->state == RoomState::kReady) {
      Emit(effect::TellRoomReady{.session = session->id, .request = room->request});
    }
    return;
  }
  const auto refuse = [&](absl::Status status) {
    ++counters_.refusals;
    Warn(absl::StrCat("room refused ", Describe(*session), ": ", status.message()));
    Emit(effect::TellError{.session = session->id, .status = std::move(status), .request = reserve.request});
  };
  if (reserve.request == 0) return refuse(absl::InvalidArgumentError("a request of room has a number, not 0"));
  if (reserve.bytes.IsZero()) return refuse(absl::InvalidArgumentError("room of 0 B is asked for"));
  // What could ever be made: all but what is reserved for others. Rooms of others end; until then it waits.
  const DeviceView::Books books = ledger_.Books();
  Bytes kept;
  for (const auto& [name, tenant] : tenants_.all()) {
    if (name != session->tenant) kept += std::min(tenant.policy.reserved, device_.total());
  }
  const Bytes most = MinusOrZero(device_.CapacityOfDevice(books), kept);
  if (reserve.bytes > most) {
    return refuse(absl::ResourceExhaustedError(absl::StrCat(
        "room of ", ToString(reserve.bytes), " is more than could be made, ", ToString(most), ": the device has ",
        ToString(device_.total()), ", programs outside use ", ToString(device_.used_by_others()), ", ",
        ToString(device_.options().headroom), " stay free, ", ToString(kept), " are reserved")));
  }
  rooms_.Add(session->id, reserve.request, reserve.bytes, reserve.ttl, now_);
  Inform(absl::StrCat("room asked ", Describe(*session), " bytes=", reserve.bytes.in_bytes()));
  plan_is_due_ = true;
}

void Arbiter::On(const event::ExternalSettled& settled) {
  SessionRecord* session = ActiveSession(settled.session);
  if (session == nullptr) return;
  const Room* room = rooms_.Find(session->id);
  if (room == nullptr || room->request != settled.request || room->state == RoomState::kSettled) return;
  const Bytes taken = std::min(settled.bytes, device_.total());
  Inform(absl::StrCat("room settled ", Describe(*session), " bytes=", room->bytes.in_bytes(),
                      " taken=", taken.in_bytes()));
  rooms_.Settle(session->id, taken, now_);
  if (rooms_.NeedsLook()) Emit(effect::SampleDevice{});
  // Nobody has more than the device, however often it settles.
  session->external.Settle(taken, device_.total());
  plan_is_due_ = true;
}

void Arbiter::On(const event::External& external) {
  SessionRecord* session = ActiveSession(external.session);
  if (session == nullptr) return;
  switch (session->external.Hear(external.revision, external.bytes, external.trimmable)) {
    case ExternalWatch::Heard::kNothingNew:
      return;
    case ExternalWatch::Heard::kNews:
      // Where others are asked, something cheaper may have appeared; else the next look is soon enough.
      plan_is_due_ = !plan_.asked.IsZero();
      return;
    case ExternalWatch::Heard::kAnswer:
      // Nobody's memory but the device's from now on: a look shows it.
      Emit(effect::SampleDevice{});
      return;
  }
}

void Arbiter::NoteLook() {
  rooms_.Looked();
  bool again = rooms_.NeedsLook();
  for (auto& [id, session] : ledger_.sessions()) {
    session.external.Looked();
    again = again || session.external.NeedsLook();
  }
  if (again) Emit(effect::SampleDevice{});
}

// ---------------------------------------------------------------- what the policy sees

Rooms::Device Arbiter::RoomDevice(const DeviceView::Books& books) const {
  return {.free = device_.Unlent(books), .others = device_.OthersSince(now_ - Rooms::kLately)};
}

Bytes Arbiter::HeldBy(const SessionRecord& session) const {
  const DeviceView::Books books = ledger_.BooksOf(session);
  return books.charged - books.returned;
}

PolicySnapshot Arbiter::Snapshot(absl::Time now) const {
  const DeviceView::Books all = ledger_.Books();
  const Rooms::Device room_device = RoomDevice(all);
  const Bytes held_back = rooms_.HeldBack(room_device);
  const Bytes overdrawn = device_.Overdrawn(all);
  const Bytes cap = device_.options().cap.value_or(Bytes(UINT64_MAX));
  const Bytes uncapped = MinusOrZero(device_.CapacityOfDevice(all) + overdrawn, held_back);
  PolicySnapshot snapshot{
      .available = std::min(room_device.free - held_back, MinusOrZero(cap, all.charged)),
      // What others took beyond what was free is missing as room is: it is asked back.
      .capacity = std::min(uncapped, cap),
      .growable = MinusOrZero(cap, uncapped),
      .room_short = rooms_.Short(room_device) + overdrawn,
      .stuck = stuck_.stuck(),
  };
  if (trims_awaited_.has_value()) snapshot.trims_awaited = now - *trims_awaited_;
  std::map<absl::string_view, size_t> tenant_index;
  snapshot.tenants.reserve(tenants_.all().size());
  for (const auto& [name, tenant] : tenants_.all()) {
    tenant_index[name] = snapshot.tenants.size();
    snapshot.tenants.push_back({.name = name,
                                .policy = tenant.policy,
                                .last_turn = tenant.last_turn,
                                .rests = tenant.turn.rests(now),
                                .rests_from_raise = tenant.raise.rests(now)});
    if (tenant.squeeze.has_value()) snapshot.tenants.back().squeezed_to = tenant.squeeze->to;
    if (tenant.raise.running()) {
      snapshot.tenants.back().raise = {.age = tenant.raise.age(now), .need = tenant.raise.need()};
    }
    if (tenant.turn.running()) {
      snapshot.turn = {.tenant = snapshot.tenants.size() - 1, .age = tenant.turn.age(now), .need = tenant.turn.need()};
    }
  }
  for (const auto& [id, session] : ledger_.sessions()) {
    const size_t tenant = tenant_index.at(session.tenant);
    const DeviceView::Books books = ledger_.BooksOf(session);
    PolicySnapshot::Tenant& of = snapshot.tenants[tenant];
    of.charged += books.charged;
    of.returned += books.returned;
    if (session.state != SessionState::kActive) continue;
    of.floor = std::max(of.floor, session.floor);
    PolicySnapshot::Session row = {.id = id,
                                   .tenant = tenant,
                                   .charged = books.charged,
                                   .returned = books.returned,
                                   .reported = true,
                                   .protected_bytes = session.recent_grants.Sum(now),
                                   .target = session.target.max(),
                                   .asked_for = session.target.asked_for(now),
                                   .missed_target = session.target.missed(),
                                   .trimmable = std::min(session.external.trimmable(), device_.total()),
                                   .trim_asked = std::min(session.external.coming(), device_.total()),
                                   .trim_asked_for = session.external.asked_for(now)};
    for (const auto& [arena, lease_id] : session.leases) {
      const Lease& lease = ledger_.leases().at(lease_id);
      if (lease.closed) continue;
      row.holding += lease.holding;
      row.reported = row.reported && now - lease.reported <= kReportCounts;
      snapshot.leases.push_back({.id = lease_id,
                                 .session = snapshot.sessions.size(),
                                 .tenant = tenant,
                                 .slot = lease.slot_bytes(),
                                 .held = lease.counts().held(),
                                 .wanted = lease.want.slots,
                                 .min_useful = lease.want.min_useful,
                                 .first = lease.want.raises.empty() ? 0 : lease.want.raises.front().slots,
                                 .waiting_since = lease.want.waiting_since(),
                                 .waiting = lease.want.waiting(now)});
    }
    row.holding.response = std::max(row.holding.response, session.target.response());
    snapshot.sessions.push_back(std::move(row));
  }
  return snapshot;
}

Arbiter::Simulation Arbiter::PlanNow(absl::Time now) const {
  Simulation simulation = {.snapshot = Snapshot(now)};
  simulation.plan = policy_.Plan(simulation.snapshot);
  return simulation;
}

absl::StatusOr<Arbiter::Simulation> Arbiter::Simulate(const std::string& tenant, std::optional<Bytes> want,
                                                      const std::optional<TenantPolicy>& policy, absl::Time now) const {
  Simulation simulation = {.snapshot = Snapshot(now)};
  PolicySnapshot& snapshot = simulation.snapshot;
  const auto it = std::find_if(snapshot.tenants.begin(), snapshot.tenants.end(),
                               [&](const PolicySnapshot::Tenant& t) { return t.name == tenant; });
  if (it == snapshot.tenants.end()) return absl::NotFoundError(absl::StrCat("no tenant '", tenant, "'"));
  if (policy.has_value()) it->policy = *policy;
  if (want.has_value()) {
    const size_t index = static_cast<size_t>(it - snapshot.tenants.begin());
    const auto lease = std::find_if(snapshot.leases.begin(), snapshot.leases.end(),
                                    [&](const PolicySnapshot::Lease& l) { return l.tenant == index; });
    if (lease != snapshot.leases.end()) {
      lease->wanted = UnitsFor(*want, lease->slot);
      lease->waiting_since = lease->wanted > lease->held ? next_wait_ : 0;
    } else {
      snapshot.sessions.push_back({.id = SessionId(UINT64_MAX), .tenant = index});
      snapshot.leases.push_back({.id = LeaseId(UINT64_MAX),
                                 .session = snapshot.sessions.size() - 1,
                                 .tenant = index,
                                 .slot = kSimulatedSlot,
                                 .wanted = UnitsFor(*want, kSimulatedSlot),
                                 .waiting_since = next_wait_});
    }
  }
  simulation.plan = policy_.Plan(snapshot);
  return simulation;
}

// ---------------------------------------------------------------- what follows from it

void Arbiter::Replan() {
  planned_ = now_;
  NoteWaiting();
  stuck_.See(ledger_.Books().returned, now_);
  const PolicySnapshot snapshot = Snapshot(now_);
  plan_ = policy_.Plan(snapshot);
  CarryOut(plan_);
  ForgetImpossibleWants(snapshot, plan_);
  NoteSpells(snapshot, plan_);
  NoteTrims(plan_);
  KeepWaitClocks(snapshot, plan_);
  time_matters_ = TimeMatters(snapshot);
}

bool Arbiter::TimeMatters(const PolicySnapshot& snapshot) const {
  const auto waits = [](const PolicySnapshot::Lease& lease) { return lease.waiting_since != 0; };
  const auto asked = [](const auto& entry) { return entry.second.target.asked(); };
  const auto changes = [](const auto& entry) {
    return entry.second.turn.running() || entry.second.raise.running() || entry.second.squeeze.has_value();
  };
  const auto unsettled = [](const Room& room) { return room.state != RoomState::kSettled || room.claim.has_value(); };
  return plan_.eviction_age.has_value() || plan_.awaits_trims || !ledger_.Books().returned.IsZero() ||
         std::any_of(snapshot.leases.begin(), snapshot.leases.end(), waits) ||
         std::any_of(ledger_.sessions().begin(), ledger_.sessions().end(), asked) ||
         std::any_of(tenants_.all().begin(), tenants_.all().end(), changes) ||
         std::any_of(rooms_.all().begin(), rooms_.all().end(), unsettled);
}

void Arbiter::NoteWaiting() {
  constexpr size_t kMostRaises = 16;
  for (auto& [id, lease] : ledger_.leases()) {
    std::deque<Lease::Want::Raise>& raises = lease.want.raises;
    const uint64_t held = lease.counts().held();
    while (raises.size() > 1 && raises[raises.size() - 2].slots >= lease.want.slots) raises.pop_back();
    if (!raises.empty()) raises.back().slots = std::min(raises.back().slots, lease.want.slots);
    while (!raises.empty() && raises.front().slots <= held) raises.pop_front();
    const uint64_t known = raises.empty() ? held : raises.back().slots;
    if (lease.want.slots > known) {
      if (raises.size() < kMostRaises) {
        raises.push_back({lease.want.slots, next_wait_++, now_});
      } else {
        raises.back().slots = lease.want.slots;
      }
    }
  }
}

void Arbiter::CarryOut(const PolicyPlan& plan) {
  // Targets first: a session that may hold more again hears of it before it hears of the grant.
  for (const PolicyPlan::Target& target : plan.targets) {
    SessionRecord& session = *ledger_.FindSession(target.session);
    if (target.max.has_value()) TakeBackUnfetched(session, *target.max);
    Tell(session, target, plan);
  }
  for (const PolicyPlan::Trim& trim : plan.trims) {
    SessionRecord& session = *ledger_.FindSession(trim.session);
    session.external.Ask(trim.bytes, now_);
    Emit(effect::TellTrim{.session = session.id, .revision = session.external.revision(), .bytes = trim.bytes});
  }
  for (const PolicyPlan::Grant& grant : plan.grants) {
    Lease& lease = *ledger_.FindLease(grant.lease);
    SessionRecord& session = *ledger_.FindSession(lease.session());
    lease.Grant(grant.slots);
    ++counters_.grants;
    counters_.granted_slots += grant.slots;
    session.recent_grants.Add(lease.slot_bytes() * grant.slots, now_);
    for (const Lease::Want::Raise& raise : lease.want.raises) {
      if (raise.slots <= lease.counts().held()) tenants_.all().at(session.tenant).grants.Add(now_ - raise.from);
    }
    Emit(effect::TellGrant{.session = lease.session(),
                           .lease = lease.id(),
                           .total = lease.total_granted(),
                           .want_revision = lease.want.revision});
    StartMaking(lease, grant.slots);
  }
}

void Arbiter::TakeBackUnfetched(SessionRecord& session, Bytes max) {
  Bytes excess = MinusOrZero(HeldBy(session), max);
  for (const auto& [arena, id] : session.leases) {
    Lease& lease = *ledger_.FindLease(id);
    if (excess.IsZero() || lease.closed) continue;
    const Lease::Revoked revoked = lease.Revoke(UnitsFor(excess, lease.slot_bytes()));
    if (revoked.slots == 0) continue;
    excess = MinusOrZero(excess, lease.slot_bytes() * revoked.slots);
    Emit(effect::TellRevoke{.session = session.id, .lease = id, .total = lease.total_revoked()});
    Discard(id, revoked.discard);
    AnswerFetch(lease);
  }
}

void Arbiter::Tell(SessionRecord& session, const PolicyPlan::Target& target, const PolicyPlan& plan) {
  const bool same = session.target.revision() != 0 && session.target.max() == target.max;
  const bool sooner = same && session.target.IsSooner(target.within, now_);
  if (same && !sooner && session.told_eviction_age == plan.eviction_age) return;
  if (same) {
    session.target.Repeat(target.within, now_);
  } else {
    session.target.Tell(target.max, target.within, HeldBy(session), now_);
  }
  session.told_eviction_age = plan.eviction_age;
  Emit(effect::TellTarget{.session = session.id,
                          .revision = session.target.revision(),
                          .max = target.max,
                          .within = session.target.within(now_),
                          .urgent = target.urgent,
                          .reason = target.reason,
                          .eviction_age = plan.eviction_age});
}

void Arbiter::ForgetImpossibleWants(const PolicySnapshot& snapshot, const PolicyPlan& plan) {
  if (!device_.sampled()) return;  // how much there is is not known yet
  const Bytes device = MinusOrZero(device_.total(), device_.options().headroom);
  const Bytes whole = std::min(device, device_.options().cap.value_or(device));
  for (size_t i = 0; i < plan.verdicts.size(); ++i) {
    if (plan.verdicts[i].rule != Rule::kImpossible) continue;
    const PolicySnapshot::Lease& of = snapshot.leases[i];
    const PolicySnapshot::Tenant& tenant = snapshot.tenants[of.tenant];
    const Bytes most = std::min(tenant.policy.limit.value_or(Bytes(UINT64_MAX)), whole);
    // What only programs outside keep away may come yet: that waits.
    if (of.Least() <= most / of.slot) continue;
    Lease& lease = *ledger_.FindLease(of.id);
    const std::string bound = most < whole ? absl::StrCat("the limit of tenant ", tenant.name, " is ", ToString(most))
                                           : absl::StrCat("the broker has ", ToString(whole), " at the most");
    RefuseMessage(*ledger_.FindSession(lease.session()), lease.arena(),
                  absl::FailedPreconditionError(absl::StrCat("arena ", lease.arena().value(), " needs ", of.Least(),
                                                             " more slots at once, ", ToString(of.slot * of.Least()),
                                                             "; ", bound)),
                  lease.want.revision);
    lease.want.slots = std::min(lease.want.slots, of.held);
    lease.want.raises.clear();
  }
}

void Arbiter::NoteSpells(const PolicySnapshot& snapshot, const PolicyPlan& plan) {
  // Whether it begins now.
  const auto note = [this](Spell& spell, bool has, Bytes need) {
    if (has == spell.running()) return false;
    has ? spell.Begin(need, now_) : spell.End(now_);
    return has;
  };
  for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
    Tenants::Tenant& tenant = tenants_.all().at(snapshot.tenants[i].name);
    if (note(tenant.turn, plan.turn == i, plan.turn_need)) {
      Inform(absl::StrCat("turn tenant=", tenant.name, " need=", plan.turn_need.in_bytes(),
                          ": its longest request cannot be met by its share"));
      tenant.last_turn = ++turns_;
    }
    const Bytes raised = i < plan.shares.size() ? plan.shares[i].raised : Bytes();
    note(tenant.raise, !raised.IsZero(), raised);
  }
}

void Arbiter::NoteTrims(const PolicyPlan& plan) {
  if (!plan.awaits_trims) {
    trims_awaited_.reset();
  } else if (!trims_awaited_.has_value()) {
    trims_awaited_ = now_;
  }
}

void Arbiter::KeepWaitClocks(const PolicySnapshot& snapshot, const PolicyPlan& plan) {
  std::map<LeaseId, uint64_t> slots;
  for (const PolicyPlan::Grant& grant : plan.grants) slots[grant.lease] = grant.slots;
  const auto got = [&](const PolicySnapshot::Lease& lease) {
    const auto it = slots.find(lease.id);
    return it == slots.end() ? uint64_t{0} : it->second;
  };
  // Of each tenant.
  std::vector<Bytes> granted(snapshot.tenants.size());
  for (const PolicySnapshot::Lease& lease : snapshot.leases) granted[lease.tenant] += lease.slot * got(lease);
  // What it should hold of what is assured to it: whole slots that it wants, as far as they are of use.
  std::vector<Bytes> due;
  std::vector<Bytes> useful(snapshot.tenants.size(), Bytes(UINT64_MAX));  // the fewest bytes that are of use to it now
  for (size_t i = 0; i < granted.size(); ++i) due.push_back(snapshot.tenants[i].Held() + granted[i]);
  for (const PolicySnapshot::Lease& lease : snapshot.leases) {
    const uint64_t held = lease.held + got(lease);
    if (lease.wanted <= held) continue;
    const PolicySnapshot::Tenant& of = snapshot.tenants[lease.tenant];
    const Bytes assured = std::min(of.policy.assured(), of.MayHold().value_or(of.policy.assured()));
    const Bytes left = MinusOrZero(assured, due[lease.tenant]);
    const uint64_t more = std::min(lease.wanted - held, left / lease.slot);
    const uint64_t least = held > lease.held ? 1 : lease.Least();
    if (more < least) continue;
    due[lease.tenant] += lease.slot * more;
    useful[lease.tenant] = std::min(useful[lease.tenant], lease.slot * least);
  }
  for (size_t i = 0; i < snapshot.tenants.size(); ++i) {
    const PolicySnapshot::Tenant& row = snapshot.tenants[i];
    Tenants::Tenant& tenant = tenants_.all().at(row.name);
    const Bytes held = row.Held() + granted[i];
    const Bytes wanted = i < plan.shares.size() ? plan.shares[i].wanted : Bytes();
    tenant.waits.Set(held < wanted, now_);
    tenant.starves.Set(held < std::min(wanted, row.floor), now_);
    KeepPromise(tenant, due[i], held, useful[i]);
    tenant.peak = std::max(tenant.peak, row.charged + granted[i]);
  }
}

void Arbiter::KeepPromise(Tenants::Tenant& tenant, Bytes due, Bytes held, Bytes useful) {
  tenant.assured.Set(held < due, now_);
  tenant.due.Set(due, held, now_);
  const absl::Duration deadline = tenant.policy.guarantee_deadline;
  const Bytes overdue = tenant.due.DueThroughout(deadline, now_);
  const bool was_missed = std::exchange(tenant.assured_missed, MinusOrZero(overdue, held) >= useful);
  if (was_missed || !tenant.assured_missed) return;
  ++tenant.assured_misses;
  Warn(absl::StrCat("guarantee missed tenant=", tenant.name, " held=", held.in_bytes(), " due=", overdue.in_bytes(),
                    " deadline=", absl::FormatDuration(deadline), ": ", Culprits(now_ - deadline)));
}

std::string Arbiter::Culprits(absl::Time since) const {
  std::vector<std::string> culprits;
  for (const auto& [id, session] : ledger_.sessions()) {
    const Bytes held = ledger_.ChargedTo(session);
    const bool gone = session.state != SessionState::kActive && !held.IsZero();
    if (!gone && !IsLate(session, since)) continue;
    culprits.push_back(absl::StrCat(Describe(session), " (", ToString(session.state), ", holds ", ToString(held),
                                    session.target.asked()
                                        ? absl::StrCat(", asked ", absl::FormatDuration(session.target.asked_for(now_)),
                                                       " ago to hold ", ToString(*session.target.max()))
                                        : "",
                                    ")"));
  }
  for (const auto& [name, ended] : ended_) {
    if (ended >= since) {
      culprits.push_back(
          absl::StrCat(name, " (ended ", absl::FormatDuration(now_ - ended), " ago, its memory is back)"));
    }
  }
  const Bytes overdrawn = device_.Overdrawn(ledger_.Books());
  if (!overdrawn.IsZero())
    culprits.push_back(absl::StrCat("programs outside took ", ToString(overdrawn), " more than was free"));
  if (culprits.empty()) culprits = WhoPinsBorrowedMemory();
  return culprits.empty() ? "nobody is late with an answer" : absl::StrJoin(culprits, "; ");
}

std::vector<std::string> Arbiter::WhoPinsBorrowedMemory() const {
  std::vector<std::string> sessions;
  for (const auto& [id, session] : ledger_.sessions()) {
    const Bytes pinned = ledger_.HoldingOf(session).pinned;
    const Bytes borrowed =
        MinusOrZero(ledger_.ChargedToTenant(session.tenant), tenants_.all().at(session.tenant).policy.assured());
    if (pinned.IsZero() || borrowed.IsZero()) continue;
    sessions.push_back(absl::StrCat(Describe(session), " (pins ", ToString(pinned), "; its tenant holds ",
                                    ToString(borrowed), " more than is assured to it)"));
  }
  return sessions;
}

bool Arbiter::IsLate(const SessionRecord& session, absl::Time since) const {
  if (session.target.WasLateSince(since)) return true;
  const absl::Duration claimed = ledger_.HoldingOf(session).response;
  return claimed > absl::ZeroDuration() && session.target.UnansweredFor(since, now_) > claimed + kOnTheWay;
}

// ---------------------------------------------------------------- deadlines

void Arbiter::WatchTargets() {
  for (auto& [id, session] : ledger_.sessions()) {
    if (session.state != SessionState::kActive) continue;
    const Bytes held = HeldBy(session);
    if (session.target.MissedSince(now_)) {
      Tenants::Tenant& tenant = tenants_.all().at(session.tenant);
      ++tenant.missed_targets;
      Warn(absl::StrCat(
          "target missed ", Describe(session), " held=", held.in_bytes(), " target=", session.target.max()->in_bytes(),
          " asked=", absl::FormatDuration(session.target.asked_for(now_)),
          held > *session.target.max() ? " ago: it does not grow until it gives back" : " ago: it answers only now"));
    }
    const absl::Duration asked_for = session.target.asked_for(now_);
    if (session.target.Holds(held, now_)) tenants_.all().at(session.tenant).reclaims.Add(asked_for);
    EndProcessesThatMissed(session);
  }
}

void Arbiter::EndProcessesThatMissed(SessionRecord& session) {
  if (!session.target.missed()) {
    session.end_by_kill_at.reset();
    return;
  }
  if (tenants_.all().at(session.tenant).policy.missed_target != MissedTarget::kEndProcess) return;
  if (!session.end_by_kill_at.has_value()) {
    session.end_by_kill_at = now_ + kMercy;
    Warn(absl::StrCat("ending ", Describe(session), ": it missed its target, and its tenant's policy says so"));
    Emit(effect::EndProcess{.session = session.id});
  } else if (now_ >= *session.end_by_kill_at) {
    session.end_by_kill_at = absl::InfiniteFuture();
    Emit(effect::EndProcess{.session = session.id, .kill = true});
  }
}

void Arbiter::UpdateRooms() {
  if (rooms_.all().empty()) return;
  const Rooms::Device device = RoomDevice(ledger_.Books());
  while (const std::optional<Room> ready = rooms_.Update(device, now_)) {
    Inform(absl::StrCat("room ready session=", ready->session.value(), " bytes=", ready->bytes.in_bytes(),
                        " after=", absl::FormatDuration(now_ - ready->asked)));
    Emit(effect::TellRoomReady{.session = ready->session, .request = ready->request});
  }
}

void Arbiter::ExtendDeadlines(absl::Duration gap) {
  for (auto& [id, session] : ledger_.sessions()) {
    session.target.Extend(gap);
    session.external.Extend(gap);
    if (session.end_by_kill_at.has_value()) *session.end_by_kill_at += gap;
  }
  for (auto& [id, lease] : ledger_.leases()) {
    for (Lease::Want::Raise& raise : lease.want.raises) raise.from += gap;
  }
  for (auto& [name, tenant] : tenants_.all()) {
    for (WaitClock* clock : {&tenant.waits, &tenant.starves, &tenant.assured}) clock->Extend(gap);
    tenant.due.Extend(gap);
    tenant.turn.Extend(gap);
    tenant.raise.Extend(gap);
    if (tenant.squeeze.has_value()) {
      tenant.squeeze->since += gap;
      tenant.squeeze->until += gap;
    }
  }
  for (auto& [name, ended] : ended_) ended += gap;
  rooms_.Extend(gap);
  stuck_.Extend(gap);
  if (trims_awaited_.has_value()) *trims_awaited_ += gap;
}

}  // namespace kvbroker
