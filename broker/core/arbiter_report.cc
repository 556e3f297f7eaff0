#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/core/arbiter.h"

namespace kvbroker {

BrokerReport Arbiter::Report(absl::Time now) const {
  const DeviceView::Books books = ledger_.Books();
  BrokerReport report = {.total = device_.total(),
                         .free = device_.free(),
                         .capacity = device_.Capacity(books),
                         .cap = device_.options().cap,
                         .headroom = device_.options().headroom,
                         .charged = books.charged,
                         .returned = books.returned,
                         .used_by_others = device_.used_by_others(),
                         .zeroing = zeroing_,
                         .room = rooms_.HeldBack(RoomDevice(books)),
                         .guarantee_at_risk = plan_.guarantee_at_risk,
                         .policy_revision = policy_revision_,
                         .admits = options_.admits,
                         .counters = counters_};
  std::map<std::string, size_t> tenant_index;
  for (const auto& [name, tenant] : tenants_.all()) {
    const size_t index = report.tenants.size();
    tenant_index[name] = index;
    report.tenants.push_back(
        {.name = name,
         .policy = tenant.policy,
         .configured = tenant.configured,
         // A tenant that has come since the newest plan has no share yet, and those behind it stand elsewhere.
         .entitled = plan_.shares.size() == tenants_.all().size() ? plan_.shares[index].entitled : Bytes(),
         .peak = tenant.peak,
         .has_turn = tenant.turn.running(),
         .waited = tenant.waits.total(now),
         .starved = tenant.starves.total(now),
         .assured_waited = tenant.assured.total(now),
         .assured_waits = tenant.assured.times(),
         .assured_misses = tenant.assured_misses,
         .missed_targets = tenant.missed_targets,
         .reclaimed = tenant.reclaimed,
         .grants = tenant.grants,
         .reclaims = tenant.reclaims,
         .squeezed_to = tenant.squeeze.has_value() ? std::optional(tenant.squeeze->to) : std::nullopt,
         .squeezes = tenant.squeezes,
         .held_after_squeeze = tenant.held_after_squeeze,
         .set = tenant.set,
         .listed = tenant.listed});
  }
  for (const auto& [id, session] : ledger_.sessions()) {
    BrokerReport::Session row = {.id = id,
                                 .tenant = session.tenant,
                                 .instance = session.instance,
                                 .state = session.state,
                                 .process = session.process,
                                 .engine = session.engine,
                                 .target = session.target.max(),
                                 .response = session.target.response(),
                                 .missed_targets = session.target.misses(),
                                 .over_target = session.target.missed(),
                                 .external = std::min(session.external.bytes(), device_.total()),
                                 .trimmable = std::min(session.external.trimmable(), device_.total()),
                                 .age = now - session.opened,
                                 .arenas = static_cast<uint32_t>(session.leases.size())};
    for (const auto& [arena, lease_id] : session.leases) {
      const Lease& lease = ledger_.leases().at(lease_id);
      const Lease::Counts& counts = lease.counts();
      row.charged += lease.slot_bytes() * counts.charged();
      row.active += lease.slot_bytes() * counts.active;
      row.in_flight += lease.slot_bytes() * (counts.starved + counts.making + counts.made + counts.sent);
      row.returned += lease.slot_bytes() * (counts.returned + counts.unwanted);
      row.wanted += lease.slot_bytes() * std::max(lease.want.slots, counts.held());
    }
    row.holding = ledger_.HoldingOf(session);
    BrokerReport::Tenant& tenant = report.tenants[tenant_index.at(session.tenant)];
    ++tenant.sessions;
    tenant.external += row.external;
    tenant.trimmable += row.trimmable;
    tenant.holding += row.holding;
    tenant.floor = std::max(tenant.floor, session.floor);
    if (row.over_target || session.target.asked()) report.asked_back += MinusOrZero(HeldBy(session), *row.target);
    tenant.charged += row.charged;
    tenant.wanted += row.wanted;
    report.sessions.push_back(std::move(row));
  }
  for (const BrokerReport::Tenant& tenant : report.tenants) {
    const Bytes may_have =
        tenant.policy.limit.has_value() ? std::min(tenant.wanted, *tenant.policy.limit) : tenant.wanted;
    report.waiting += MinusOrZero(may_have, tenant.charged);
  }
  for (const Room& room : rooms_.all()) {
    const SessionRecord& session = ledger_.sessions().at(room.session);
    report.rooms.push_back({.room = room,
                            .tenant = session.tenant,
                            .process = session.process,
                            .engine = session.engine,
                            .age = now - room.asked});
  }
  return report;
}

absl::Status Arbiter::CheckInvariants() const {
  const DeviceView::Books books = ledger_.Books();
  if (!adopted_ && device_.options().cap.has_value() && books.charged > *device_.options().cap) {
    return absl::InternalError(absl::StrCat("charged ", books.charged.in_bytes(), " is over the cap"));
  }
  if (!ledger_.ReturnedAddsUp()) return absl::InternalError("returned slots and their order do not add up");
  for (const auto& [id, lease] : ledger_.leases()) {
    const SessionRecord* session = ledger_.FindSession(lease.session());
    if (session == nullptr) return absl::InternalError(absl::StrCat("lease ", id.value(), " has no session"));
    const auto it = session->leases.find(lease.arena());
    if (it == session->leases.end() || it->second != id) {
      return absl::InternalError(absl::StrCat("lease ", id.value(), " is unknown to its session"));
    }
    if (lease.counts().held() > lease.slots()) {
      return absl::InternalError(absl::StrCat("lease ", id.value(), " holds more slots than its arena has"));
    }
    if ((lease.closed || session->state == SessionState::kDraining) && lease.counts().held() > 0) {
      return absl::InternalError(absl::StrCat("lease ", id.value(), " of an ended arena or session holds slots"));
    }
  }
  for (const auto& [id, session] : ledger_.sessions()) {
    if (session.state == SessionState::kGone) return absl::InternalError("a session that is gone is still there");
  }
  return absl::OkStatus();
}

}  // namespace kvbroker
